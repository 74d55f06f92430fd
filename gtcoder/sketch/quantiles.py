"""Quantiles of a stream: datasketches' KLL, made to pickle and to merge without changing its parts.

KLL is random within its error bound, so two passes over more values than it keeps may differ by it.
"""

from typing import Any, Self

import datasketches
import numpy as np

KLL_K = 4096
"""KLL's size: a normalised rank error of 0.07 % in about 100 kB."""


class Quantiles:
    """A KLL sketch of doubles that pickles and merges without changing its parts."""

    def __init__(self, sketch: datasketches.kll_doubles_sketch | None = None) -> None:
        self.sketch = sketch or datasketches.kll_doubles_sketch(KLL_K)

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """The sketch of finite float64 values (B,)."""
        quantiles = cls()
        quantiles.sketch.update(values)
        return quantiles

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together."""
        merged = datasketches.kll_doubles_sketch.deserialize(self.sketch.serialize())
        merged.merge(other.sketch)
        return type(self)(merged)

    def at(self, ranks: np.ndarray) -> np.ndarray:
        """The values at normalised ranks, (R,) -> float64 (R,)."""
        return np.asarray(self.sketch.get_quantiles(ranks), np.float64)

    def __reduce__(self) -> tuple[Any, ...]:
        return _quantiles_from_bytes, (self.sketch.serialize(),)


def _quantiles_from_bytes(data: bytes) -> Quantiles:
    return Quantiles(datasketches.kll_doubles_sketch.deserialize(data))
