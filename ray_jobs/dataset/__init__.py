"""Any source and any sink of Ray Data: learn a dataset, and draw one.

>>> bundle = fit(ray.data.read_sql(query, connect))  # doctest: +SKIP
>>> sample(bundle, 1_000_000, where=["sex=Female"]).write_bigquery(project, table)  # doctest: +SKIP
"""

from ray_jobs.dataset.fitted import fit
from ray_jobs.dataset.sampled import sample

__all__ = ["fit", "sample"]
