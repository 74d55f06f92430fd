"""Train on one table, test on another: the paper's utility, and a boosted tree's beside it.

Shapes: B rows, F features, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import f1_score, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from gtcoder.errors import TableError
from gtcoder.evaluation.features import Features
from gtcoder.evaluation.frame import Frame, align
from gtcoder.evaluation.roles import Roles, Task

FEWEST_ROWS = 10
"""Rows with a known target that a table must have to be learned from or tested on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperScores:
    """How well models that were fitted on one table predict another's target.

    Where the rows they are tested on have one class or one value only, F1, r² and AUC are NaN, not
    measured: guessing that one would be perfect.
    """

    task: Task
    by_model: Mapping[str, Mapping[str, float]]
    """Model → measure → value: `f1_macro` and `f1_weighted`, or `r2`."""
    mean: Mapping[str, float]
    """The same measures, averaged over the paper's three models."""
    boosted: float
    """Of a boosted tree: AUC (mean over classes, each against the rest), or for a number the root
    mean squared error in the target's own unit."""

    @property
    def boosted_measure(self) -> str:
        """`auc` or `rmse`."""
        return "auc" if self.task is Task.CLASSIFICATION else "rmse"


def paper_scores(
    train: pa.Table,
    test: pa.Table,
    target: str,
    *,
    seed: int,
    reference: pa.Table | None = None,
    task: Task | None = None,
    num_threads: int | None = None,
) -> PaperScores:
    """The paper's utility measure: fit on `train`, score on `test`.

    Decision tree, random forest and AdaBoost for classes, Ridge, linear regression and gradient
    boosting for numbers (GTCoder, Experiments). A class the models never saw counts as wrong.

    Args:
        train: the rows models are fitted on, synthetic or real.
        test: real rows that no model has seen, with the same columns and types.
        target: the column they predict; rows that lack it are left out.
        seed: makes the fits repeatable.
        reference: the real table that kinds and categories are taken from; omitted, `train`.
        task: overrules what the target's values suggest.
        num_threads: of the random forest; omitted, all cores.

    Raises:
        SchemaError: there is no such target, or it cannot be predicted.
        TableError: there are too few rows with a target.
    """
    real = train if reference is None else reference
    roles = Roles.of(real, target=target, task=task)
    frames = align(roles, real, train, test)
    return score_utility(*frames, seed=seed, num_threads=num_threads)


def score_utility(
    real: Frame, train: Frame, test: Frame, *, seed: int, num_threads: int | None = None
) -> PaperScores:
    """`paper_scores` of tables that are aligned already, whose roles name a target."""
    roles = real.roles
    assert roles.target is not None
    assert roles.task is not None
    features = Features.fit(real, [name for name in roles.columns if name != roles.target])
    data = []
    for frame, where in ((train, "to learn from"), (test, "to test on")):
        known = _with_target(frame)
        if len(known) < FEWEST_ROWS:
            raise TableError(
                f"target {roles.target!r}: expected at least {FEWEST_ROWS} rows that have it "
                f"{where}, found {len(known)}"
            )
        data += [features.matrix(known), known.column(roles.target)]
    if roles.task is Task.CLASSIFICATION:
        return _classify(*data, seed=seed, jobs=num_threads or -1)
    return _regress(*data, seed=seed)


def _with_target(frame: Frame) -> Frame:
    name = frame.roles.target
    assert name is not None
    values = frame.column(name)
    if frame.roles.task is Task.REGRESSION:
        return frame.take(~np.isnan(values))
    names = frame.levels[name].names
    return frame.take(values != names.index(None)) if None in names else frame


def _classify(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, *, seed: int, jobs: int
) -> PaperScores:
    models = {
        "decision_tree": DecisionTreeClassifier(random_state=seed),
        "random_forest": RandomForestClassifier(random_state=seed, n_jobs=jobs),
        "ada_boost": AdaBoostClassifier(random_state=seed),
    }
    by_model = {}
    for name, model in models.items():
        guess = _guess(model, x, y, x_test)
        by_model[name] = {f"f1_{kind}": _f1(y_test, guess, kind) for kind in ("macro", "weighted")}
    boosted = _boosted_auc(x, y, x_test, y_test, seed)
    return PaperScores(
        task=Task.CLASSIFICATION, by_model=by_model, mean=_mean(by_model), boosted=boosted
    )


def _same(y: np.ndarray) -> bool:
    return bool((y == y[0]).all())


def _f1(y: np.ndarray, guess: np.ndarray, average: str) -> float:
    """The mean of 2·TP / (2·TP + FP + FN) over classes; NaN if there is one only."""
    return np.nan if _same(y) else float(f1_score(y, guess, average=average, zero_division=0))


def _r2(y: np.ndarray, guess: np.ndarray) -> float:
    """1 - Σ(y - guess)² / Σ(y - mean of y)²; NaN if all y are the same."""
    return np.nan if _same(y) else float(r2_score(y, guess))


def _guess(model: Any, x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    if _same(y):  # not every model fits a single class
        return np.full(len(x_test), y[0])
    guess: np.ndarray = model.fit(x, y).predict(x_test)
    return guess


def _boosted_auc(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, seed: int
) -> float:
    """One-against-rest AUC over the classes among the test rows; .5 for one that is not learned."""
    if _same(y_test):
        return np.nan
    if _same(y):
        return 0.5
    model = HistGradientBoostingClassifier(random_state=seed, early_stopping=False).fit(x, y)
    found = model.predict_proba(x_test)
    chance = np.zeros((len(x_test), int(max(y.max(), y_test.max())) + 1))  # (B, C)
    chance[:, model.classes_] = found
    classes = np.unique(y_test)
    rated = classes[1:] if len(classes) == 2 else classes
    return float(np.mean([roc_auc_score(y_test == c, chance[:, c]) for c in rated]))


def _regress(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, *, seed: int
) -> PaperScores:
    models = {
        "ridge": make_pipeline(StandardScaler(), Ridge()),
        "linear": LinearRegression(),
        "gradient_boosting": GradientBoostingRegressor(random_state=seed),
    }
    by_model = {
        name: {"r2": _r2(y_test, model.fit(x, y).predict(x_test))} for name, model in models.items()
    }
    boosted = HistGradientBoostingRegressor(random_state=seed, early_stopping=False).fit(x, y)
    error = root_mean_squared_error(y_test, boosted.predict(x_test))
    return PaperScores(
        task=Task.REGRESSION, by_model=by_model, mean=_mean(by_model), boosted=float(error)
    )


def _mean(by_model: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    measures = next(iter(by_model.values()))
    return {m: float(np.mean([scores[m] for scores in by_model.values()])) for m in measures}
