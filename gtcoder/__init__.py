"""GTCoder: synthetic tables from a fusion autoencoder with a learned mixture prior."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gtcoder.synthesizer import Synthesizer

__all__ = ["Synthesizer", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Synthesizer`, imported when asked for, since it brings torch and pandas with it."""
    if name == "Synthesizer":
        return import_module("gtcoder.synthesizer").Synthesizer
    raise AttributeError(f"module 'gtcoder' has no attribute {name!r}")
