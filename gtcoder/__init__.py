"""GTCoder: synthetic tables from a fusion autoencoder with a learned mixture prior."""

from typing import TYPE_CHECKING, Any

from gtcoder.version import VERSION

if TYPE_CHECKING:
    from gtcoder.synthesizer import Synthesizer

__all__ = ["Synthesizer", "__version__"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """`Synthesizer`, imported when asked for, since it brings torch and pandas with it."""
    if name == "Synthesizer":
        from gtcoder.synthesizer import Synthesizer

        return Synthesizer
    raise AttributeError(f"module 'gtcoder' has no attribute {name!r}")
