"""Column errors: how far each column's distribution is from the real one.

SDMetrics' Column Shapes as published, as an error: the Kolmogorov-Smirnov statistic of numbers, the
total variation distance of categories. 0 is the same, 1 has nothing in common.
"""

from collections.abc import Mapping

import numpy as np

from gtcoder.evaluation.frame import Frame


def shape_errors(real: Frame, other: Frame) -> dict[str, float]:
    """The error of each column; missing numbers are left out, a missing category is a category."""
    roles = real.roles
    numbers = {c: kolmogorov_smirnov(real.column(c), other.column(c)) for c in roles.continuous}
    return numbers | {c: total_variation(real.column(c), other.column(c)) for c in roles.discrete}


def missing_shares(frame: Frame) -> Mapping[str, float]:
    """The share of rows that lack each column."""
    shares = dict(zip(frame.roles.continuous, np.isnan(frame.numbers).mean(0), strict=True))
    for name in frame.roles.discrete:
        names = frame.levels[name].names
        at = names.index(None) if None in names else -1
        shares[name] = (frame.column(name) == at).mean()
    return {name: float(share) for name, share in shares.items()}


def kolmogorov_smirnov(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two empirical distribution functions, NaN left out."""
    a, b = (np.sort(values[~np.isnan(values)]) for values in (one, other))
    if not len(a) or not len(b):
        return float(len(a) != len(b))
    at = np.concatenate([a, b])
    shares = [np.searchsorted(side, at, side="right") / len(side) for side in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """Half the L1 distance of the shares of two samples of codes >= 0."""
    size = int(max(one.max(), other.max())) + 1
    if size > 4 * (len(one) + len(other)):
        both, place = np.unique(np.concatenate([one, other]), return_inverse=True)
        one, other, size = place[: len(one)], place[len(one) :], len(both)
    shares = [np.bincount(codes, minlength=size) / len(codes) for codes in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
