"""Normalised mutual information of each two columns, and how far it is from the real table's.

Numbers are cut into ten bins of equal width of the real table's range. Shapes: K columns.
"""

from itertools import combinations

import numpy as np

from gtcoder.evaluation.frame import Frame

BINS = 10


def normalised_information(real: Frame, frame: Frame) -> np.ndarray:
    """2·I(a; b) / (H(a) + H(b)) of each two columns, symmetric (K, K); NaN on the diagonal.

    I(a; b) = H(a) + H(b) - H(a, b), and 0 where both are constant.
    """
    # scikit-learn's normalized_mutual_info_score gives the same, but sorts both columns anew for
    # each pair: on Adult it takes 23 times as long.
    columns = [_compact(_codes(real, frame, name)) for name in real.roles.columns]
    entropies = [_entropy(column) for column in columns]
    found = np.full((len(columns), len(columns)), np.nan)
    for a, b in combinations(range(len(columns)), 2):
        total = entropies[a] + entropies[b]
        joint = _entropy(columns[a] * (int(columns[b].max()) + 1) + columns[b])
        shared = 2 * (total - joint) / total if total > 0 else 0.0
        found[a, b] = found[b, a] = max(shared, 0.0)
    return found


def weighted_error(real: np.ndarray, other: np.ndarray) -> float:
    """The mean difference of two tables' information, pairs weighted by what both have of it."""
    upper = np.triu_indices(len(real), 1)
    truth, found = real[upper], other[upper]
    weights = truth + found
    if not weights.sum() > 0:
        return 0.0
    return float(np.average(np.abs(truth - found), weights=weights))


def _codes(real: Frame, frame: Frame, name: str) -> np.ndarray:
    """Categories and numbers of few values as they are; else the bin; one code for out of range."""
    values = frame.column(name)
    if name in real.roles.discrete:
        return values
    known = np.unique(real.column(name))
    known = known[~np.isnan(known)]
    if len(known) > BINS + 1:
        edges = np.histogram_bin_edges(known, bins=BINS)
        code = np.searchsorted(edges[1:-1], values, side="left")
        outside = (values < edges[0]) | (values > edges[-1])
    else:
        code = np.searchsorted(known, values)
        outside = ~np.isin(values, known)
    code = np.where(outside, BINS + 2, code)
    return np.where(np.isnan(values), BINS + 3, code)


def _compact(codes: np.ndarray) -> np.ndarray:
    compact: np.ndarray = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return compact


def _entropy(codes: np.ndarray) -> float:
    if int(codes.max()) < 4 * len(codes):
        counts = np.bincount(codes)
    else:
        counts = np.unique(codes, return_counts=True)[1]
    share = counts[counts > 0] / len(codes)
    return float(-(share * np.log(share)).sum())
