"""One experiment of the paper: a method learns a table, and what it makes is scored."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.config import batch_rows_for
from gtcoder.evaluation.utility import paper_scores
from gtcoder.paper.datasets import DATASETS, split
from gtcoder.paper.simulated import SIMULATED, Mixture
from gtcoder.synthesizer import Synthesizer
from ray_jobs.paper.methods import Method, make

SIMULATED_ROWS = 10_000
"""Of a simulated table, training and testing rows together."""
HISTOGRAM_BINS = 24
"""Of a column of numbers in Figure 6."""
MOST_EPOCHS, LEAST_EPOCHS, PRESENTED_ROWS = 300, 20, 500_000
"""The rule for passes over the rows: so many, at most and at least, and rows shown in all."""
PICTURED = ("mushroom", "abalone")
"""Data sets whose distributions Figure 6 shows."""


@dataclass(frozen=True, slots=True, order=True)
class Experiment:
    """What is run."""

    dataset: str
    method: str
    seed: int


def epochs_for(rows: int) -> int:
    """Passes over so many training rows, alike for all methods, where none are asked for."""
    return min(max(PRESENTED_ROWS // rows, LEAST_EPOCHS), MOST_EPOCHS)


def run_experiment(
    experiment: Experiment, table: pa.Table | None, epochs: int | None
) -> dict[str, Any]:
    """Split, fit, draw as many rows as the training part has, score.

    Args:
        experiment: what to run; its seed decides split, fit, draw and scoring models.
        table: the whole real table; None for a simulated one, which is made.
        epochs: passes over the rows; None for the rule's.

    Returns:
        Scores and times as plain JSON values.
    """
    seed = experiment.seed
    if experiment.dataset in SIMULATED:
        table = Mixture.named(experiment.dataset, seed).sample(SIMULATED_ROWS, seed)
    assert table is not None
    train, test = split(table, seed)
    dataset = DATASETS.get(experiment.dataset)
    epochs = epochs_for(len(train)) if epochs is None else epochs
    method = make(
        experiment.method,
        epochs=epochs,
        seed=seed,
        batch_rows=batch_rows_for(len(train)),
        schema=dataset.schema if dataset and dataset.categorical else None,
    )
    started = time.monotonic()
    method.fit(train)
    fitted = time.monotonic()
    synthetic = as_table(method.sample(len(train), seed=seed), train.schema)
    drawn = time.monotonic()
    found: dict[str, Any] = {
        "rows": len(train),
        "rows_whole": len(table),
        "epochs": epochs,
        "fit_s": round(fitted - started, 2),
        "sample_s": round(drawn - fitted, 3),
    }
    if dataset is None:
        mixture = Mixture.named(experiment.dataset, seed)
        return found | _fitness(mixture, synthetic, test, seed)
    scores = paper_scores(
        synthetic, test, dataset.target, seed=seed, reference=train, num_threads=_threads()
    )
    measured = dict(scores.mean) | {f"boosted_{scores.boosted_measure}": scores.boosted}
    found |= {name: value for name, value in measured.items() if math.isfinite(value)}
    if experiment.dataset in PICTURED:
        found["marginals"] = _marginals(train, synthetic)
    return found | _attention(method)


def as_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Drawn rows with exactly the training rows' columns and types."""
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _fitness(mixture: Mixture, synthetic: pa.Table, test: pa.Table, seed: int) -> dict[str, float]:
    """Table 2's L_syn and L_test, and the true density's own value on the test rows."""
    from sklearn.mixture import GaussianMixture

    fake, real = _points(synthetic), _points(test)
    # From the true centres: where EM starts is no property of the rows.
    refitted = GaussianMixture(
        len(mixture.centres), means_init=mixture.centres, random_state=seed
    ).fit(fake)
    return {
        "l_syn": float(mixture.log_density(fake).mean()),
        "l_test": float(refitted.score(real)),
        "l_true": float(mixture.log_density(real).mean()),
    }


def _points(table: pa.Table) -> np.ndarray:
    return np.stack([table[name].to_numpy() for name in ("x", "y")], 1)


def _marginals(train: pa.Table, synthetic: pa.Table) -> dict[str, Any]:
    """Every column's distribution in the real and the synthetic rows, in shares."""
    found = {}
    for name in train.column_names:
        parts = [table[name].to_pandas() for table in (train, synthetic)]
        numeric = pt.is_floating(train[name].type) or pt.is_integer(train[name].type)
        found[name] = _histogram(*parts) if numeric else _shares(*parts)
    return found


def _histogram(real: pd.Series, fake: pd.Series) -> dict[str, Any]:
    edges = np.histogram_bin_edges(real.dropna(), HISTOGRAM_BINS)
    shares = [np.histogram(each, edges)[0] / len(each) for each in (real, fake)]
    return {"edges": _rounded(edges), "real": _rounded(shares[0]), "synthetic": _rounded(shares[1])}


def _shares(real: pd.Series, fake: pd.Series) -> dict[str, Any]:
    counts = [each.astype(str).value_counts(normalize=True) for each in (real, fake)]
    levels = list(counts[0].index)
    shares = [_rounded(each.reindex(levels, fill_value=0.0).to_numpy()) for each in counts]
    return {"levels": levels, "real": shares[0], "synthetic": shares[1]}


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _attention(method: Method) -> Mapping[str, Any]:
    """What a GTCoder with a transformer attends to, for Figure 4."""
    if not isinstance(method, Synthesizer) or not method.bundle.explanation:
        return {}
    return {"explanation": dict(method.bundle.explanation)}
