"""A boosted tree that tries to tell real rows from others, and the columns it does so by."""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from gtcoder.evaluation.frame import Frame
from gtcoder.evaluation.parallel import at_once

FOLDS = 3
SHUFFLED_ROWS = 4_000
"""Rows of a fold on which the columns' importance is measured."""
MOST_LEVELS = 254
"""Of a column with more categories, the rest of the rarer ones share a code."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector reached on rows it was not fitted on, averaged over the folds."""

    auc: float
    """0.5 when it cannot tell."""
    score: float
    """1 when it cannot tell, 0 when it always can: the mean of 2 − 2·max(AUC, 0.5)."""
    importance: dict[str, float]
    """By how much the AUC falls when a column's values are shuffled among the rows; empty if it was
    not asked."""


def detect(real: Frame, other: Frame, *, seed: int, explain: bool = True) -> Detection:
    """Tell real rows from others, cross-validated; `explain` measures the columns' importance."""
    x = np.concatenate([inputs(real, real), inputs(real, other)])
    y = np.repeat([1, 0], [len(real), len(other)])

    def fold(part: tuple[np.ndarray, np.ndarray]) -> tuple[float, np.ndarray]:
        fit, held = part
        model = boosted_tree(real, seed).fit(x[fit], y[fit])
        auc = float(roc_auc_score(y[held], model.predict_proba(x[held])[:, 1]))
        return auc, _falls(model, x[held], y[held], seed) if explain else np.zeros(x.shape[1])

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y)
    aucs, falls = zip(*at_once(fold, folds), strict=True)
    found = np.mean(falls, axis=0).clip(0).tolist()
    return Detection(
        auc=float(np.mean(aucs)),
        score=float(np.mean([2 - 2 * max(auc, 0.5) for auc in aucs])),
        importance=dict(zip(real.roles.columns, found, strict=True)) if explain else {},
    )


def inputs(real: Frame, frame: Frame) -> np.ndarray:
    """Numbers with NaN, and codes of categories by falling frequency, float64 (B, K)."""
    columns = [frame.numbers]
    for name in real.roles.discrete:
        rank = _ranks(real.column(name), len(real.levels[name].names))
        columns.append(np.minimum(rank[frame.column(name)], MOST_LEVELS)[:, None])
    return np.concatenate(columns, axis=1).astype(np.float64)


def boosted_tree(real: Frame, seed: int) -> HistGradientBoostingClassifier:
    """A classifier for `inputs`, with the settings of XGBoost's defaults."""
    numbers, categories = len(real.roles.continuous), len(real.roles.discrete)
    return HistGradientBoostingClassifier(
        learning_rate=0.3,
        max_iter=100,
        max_depth=6,
        max_leaf_nodes=None,
        min_samples_leaf=4,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=np.repeat([False, True], [numbers, categories]),
        random_state=seed,
    )


def _ranks(codes: np.ndarray, size: int) -> np.ndarray:
    ranks = np.empty(size, np.int64)
    ranks[np.argsort(-np.bincount(codes, minlength=size), kind="stable")] = np.arange(size)
    return ranks


def _falls(
    model: HistGradientBoostingClassifier, x: np.ndarray, y: np.ndarray, seed: int
) -> np.ndarray:
    """By how much the AUC falls with each column shuffled in turn, (K,)."""
    rng = np.random.default_rng([seed, 1])
    some = rng.permutation(len(x))[:SHUFFLED_ROWS]
    found = permutation_importance(
        model,
        x[some],
        y[some],
        scoring="roc_auc",
        n_repeats=1,
        random_state=int(rng.integers(2**32)),
    )
    falls: np.ndarray = found.importances_mean
    return falls
