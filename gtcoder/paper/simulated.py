"""The paper's simulated tables: Gaussian mixtures in the plane whose density is known (Table 2).

Shapes: B rows, G Gaussians.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtcoder.errors import TableError

VARIANCE = 0.05
"""Of every Gaussian, in both directions."""
SIMULATED = ("grid", "gridr", "ring")
"""The mixtures there are."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Equally likely Gaussians of covariance `VARIANCE`·I."""

    centres: np.ndarray
    """(G, 2)."""

    @classmethod
    def named(cls, name: str, seed: int) -> "Mixture":
        """`grid`: 25 on {-4, -2, 0, 2, 4}²; `gridr`: those moved by U(-.5, .5)²; `ring`: 8.

        Raises:
            TableError: there is no such mixture.
        """
        if name not in SIMULATED:
            raise TableError(f"no simulated table {name!r}; there are: {', '.join(SIMULATED)}")
        if name == "ring":
            angles = 2 * np.pi * np.arange(8) / 8
            return cls(np.stack([np.cos(angles), np.sin(angles)], 1))
        side = np.arange(-4.0, 5.0, 2.0)
        centres = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
        rng = np.random.default_rng([seed, 9])
        return cls(centres + (rng.uniform(-0.5, 0.5, centres.shape) if name == "gridr" else 0.0))

    def sample(self, rows: int, seed: int) -> pa.Table:
        """Rows drawn from the mixture, columns x and y."""
        rng = np.random.default_rng([seed, 10])
        chosen = self.centres[rng.integers(len(self.centres), size=rows)]
        points = chosen + rng.normal(0.0, VARIANCE**0.5, chosen.shape)
        return pa.table({"x": points[:, 0], "y": points[:, 1]})

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """log p at points (B, 2), float64 (B,)."""
        squares = np.square(points[:, None] - self.centres).sum(-1)  # (B, G)
        exponents = -squares / (2 * VARIANCE)
        top = exponents.max(1)
        total = np.log(np.exp(exponents - top[:, None]).mean(1)) + top
        return np.asarray(total - np.log(2 * np.pi * VARIANCE))
