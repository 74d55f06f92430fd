"""Mode-specific normalisation (the paper, after CTGAN): a value ⇄ a Gaussian mode and its z-score.

A code is one mode of a Gaussian mixture, the scalar (value - mu) / (4 sigma) clipped to [-1, 1].

NOTE[DIFF]: CTGAN samples a value's mode by the posterior weight · N(value; mu, sigma), normalised
over the modes. Here it is the mode where that is greatest: encoding depends on its arguments alone,
so a row has the same codes whoever encodes it, and again after a crash.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Scalar
from gtcoder.sketch.support import Support

MODES = 10
"""Most modes of a column."""

_WIDTH = 4.0
_POINTS = 4096


@dataclass(frozen=True)
class ModeCoding:
    """The modes of one column, by rising mean, and the values decoding keeps to."""

    mu: np.ndarray
    sigma: np.ndarray
    weight: np.ndarray
    low: float
    high: float
    whole: bool

    @classmethod
    def fit(cls, support: Support, config: CodecConfig) -> Self:
        """Gaussian modes of weighted values; none of fewer than `min_category_rows` rows."""
        whole = support.grid is not None
        support = support.where(support.moderate)
        rows = support.weights.sum()
        if rows < config.min_category_rows:
            return cls(np.zeros(0), np.zeros(0), np.zeros(0), 0.0, 0.0, whole)
        low, high = support.ends(config.min_category_rows)
        count = int(min(_POINTS, rows))
        places = np.searchsorted(np.cumsum(support.weights) / rows, _ranks(count))
        points = np.clip(support.values[places].astype(np.float64), low, high)
        mu, sigma, weight = _mixture(points, int(min(MODES, rows // config.min_category_rows)))
        kept = weight * rows >= config.min_category_rows
        order = np.argsort(mu[kept], kind="stable")
        sigma = np.maximum(sigma[kept][order], 0.25 if whole else 1e-9 * max(high - low, 1e-9))
        return cls(
            mu[kept][order], sigma, weight[kept][order] / weight[kept].sum(), low, high, whole
        )

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def scalar(self) -> Scalar:
        """Always a mode's scalar."""
        return Scalar.MODE

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest scalar."""
        return -1.0, 1.0

    @property
    def spread(self) -> tuple[bool, ...]:
        """All modes have a span."""
        return (True,) * len(self)

    def share(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The share of a mode between scalars `low` and `high`."""
        cdf = np.vectorize(lambda s: 0.5 * math.erf(_WIDTH * s / math.sqrt(2)), otypes=[float])
        return np.asarray((cdf(high) - cdf(low)) / (2 * cdf(1.0)))

    def encode(self, values: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest mode of each value (B,), and its scalar; `within` has no part in it.

        That is argmax over k of log(weight_k / sigma_k) - ((value - mu_k) / sigma_k)² / 2.
        """
        x = np.clip(values.astype(np.float64), self.low, self.high)
        best = np.full(len(x), -np.inf)
        codes = np.zeros(len(x), np.int16)
        for k, (mu, sigma, weight) in enumerate(zip(self.mu, self.sigma, self.weight, strict=True)):
            score = math.log(weight / sigma) - 0.5 * np.square((x - mu) / sigma)
            codes[score > best] = k
            best = np.maximum(best, score)
        scalars = (x - self.mu[codes]) / (_WIDTH * self.sigma[codes])
        return codes, np.clip(scalars, -1.0, 1.0).astype(np.float32)

    def decode(self, codes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """The values of modes and scalars (B,)."""
        x = self.mu[codes] + _WIDTH * self.sigma[codes] * scalars
        x = np.clip(x, self.low, self.high)
        return np.rint(x).astype(np.int64) if self.whole else x

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        arrays = {"mu": self.mu, "sigma": self.sigma, "weight": self.weight}
        return {
            "coding": "modes",
            **{name: values.tolist() for name, values in arrays.items()},
            "low": self.low,
            "high": self.high,
            "whole": self.whole,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        mu, sigma, weight = (np.array(plain[name], float) for name in ("mu", "sigma", "weight"))
        return cls(mu, sigma, weight, plain["low"], plain["high"], plain["whole"])


def _ranks(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _mixture(points: np.ndarray, modes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, deviations and weights of a variational Gaussian mixture of points (B,)."""
    # Slow to import, and only the paper's preset needs it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    centre, scale = points.mean(), points.std()
    if scale == 0:
        return points[:1], np.zeros(1), np.ones(1)
    mixture = BayesianGaussianMixture(
        n_components=min(modes, len(np.unique(points))),
        weight_concentration_prior=0.001,
        max_iter=100,
        random_state=0,
    )
    with warnings.catch_warnings():
        # 100 steps are enough for codes; the paper's own implementation stops there too.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(((points - centre) / scale)[:, None])
    sigma = np.sqrt(mixture.covariances_.ravel()) * scale
    return mixture.means_.ravel() * scale + centre, sigma, mixture.weights_
