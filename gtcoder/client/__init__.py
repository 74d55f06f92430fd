"""A client of the service: `pip install "gtcoder[client]"`.

>>> client = Client("http://localhost:8000", key="...")  # doctest: +SKIP
>>> client.sample("claims", 1000, where={"age": (65, None)}, seed=7)  # doctest: +SKIP
"""

from gtcoder.client.client import Client

__all__ = ["Client"]
