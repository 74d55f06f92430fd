"""The paper's tables: from their publisher, or from a folder of Parquet files.

What is loaded has the paper's form: identifiers dropped, abalone's rings in three classes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gtcoder.errors import TableError
from gtcoder.paper.publisher import ARCHIVES, fetch

DATA_VARIABLE = "GTCODER_DATA"
"""Environment variable naming a folder of Parquet files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """One table of the paper."""

    name: str
    title: str
    """As the paper prints it."""
    target: str
    rows: int
    """Of the published table."""
    files: tuple[str, ...]
    """Parquet files in a folder of one's own, without ending; together they are the table."""
    archive: str
    """Key of `ARCHIVES`."""
    dropped: tuple[str, ...] = ()
    """Identifiers."""
    categorical: tuple[str, ...] = ()
    """Numbers that are categories."""
    regression: bool = False
    """Whether the target is a number."""

    @property
    def schema(self) -> dict[str, Any]:
        """Kinds that override the inferred ones."""
        return {"columns": {name: {"kind": "categorical"} for name in self.categorical}}


_CHANNELS = ("lifestyle", "entertainment", "bus", "socmed", "tech", "world")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

DATASETS: Mapping[str, Dataset] = {
    each.name: each
    for each in (
        Dataset(
            name="maternal_health_risk",
            title="Maternal health risk",
            target="RiskLevel",
            rows=1_014,
            files=("maternal_health_risk",),
            archive="maternal_health_risk",
        ),
        Dataset(
            name="adult",
            title="Adult",
            target="income",
            rows=48_842,
            files=("adult_train", "adult_test"),
            archive="adult",
        ),
        Dataset(
            name="abalone",
            title="Abalone",
            target="rings",
            rows=4_177,
            files=("abalone",),
            archive="abalone",
        ),
        Dataset(
            name="ionosphere",
            title="Ionosphere",
            target="class",
            rows=351,
            files=("ionosphere",),
            archive="ionosphere",
            categorical=("pulse01_re",),
        ),
        Dataset(
            name="mushroom",
            title="Agaricus-lepiota",
            target="class",
            rows=8_124,
            files=("mushroom",),
            archive="mushroom",
        ),
        Dataset(
            name="sonar",
            title="Sonar",
            target="class",
            rows=208,
            files=("sonar",),
            archive="sonar",
        ),
        Dataset(
            name="news",
            title="News",
            target="shares",
            rows=39_644,
            files=("news_popularity_sample",),
            archive="news",
            dropped=("url", "timedelta"),
            categorical=(
                *(f"data_channel_is_{name}" for name in _CHANNELS),
                *(f"weekday_is_{name}" for name in _DAYS),
                "is_weekend",
            ),
            regression=True,
        ),
    )
}
"""The real tables of Table 1, by name; maternal_health_risk stands in for the private Pregnancy."""


def load(name: str, data: str | None = None) -> pa.Table:
    """A table of the paper.

    Args:
        name: one of `DATASETS`.
        data: a folder of Parquet files; omitted, what GTCODER_DATA names, else the publisher.

    Raises:
        TableError: there is no such table, or it cannot be had or is not as published.
    """
    if name not in DATASETS:
        raise TableError(f"no data set {name!r}; there are: {', '.join(DATASETS)}")
    dataset = DATASETS[name]
    folder = data or os.environ.get(DATA_VARIABLE)
    table = _from_folder(dataset, Path(folder)) if folder else fetch(ARCHIVES[dataset.archive])
    table = table.drop_columns([c for c in dataset.dropped if c in table.column_names])
    return _in_classes(table) if name == "abalone" else table


def is_sample(name: str, table: pa.Table) -> bool:
    """Whether a table has fewer rows than the published one; figures from it must say so."""
    return len(table) < DATASETS[name].rows


def split(table: pa.Table, seed: int, test_share: float = 0.2) -> tuple[pa.Table, pa.Table]:
    """Training and testing rows, 80 % and 20 % as in the paper, drawn by a seed."""
    order = np.random.default_rng([seed, 8]).permutation(len(table))
    train = int(len(table) * (1 - test_share))
    return table.take(order[:train]), table.take(order[train:])


def _from_folder(dataset: Dataset, folder: Path) -> pa.Table:
    paths = [folder / f"{file}.parquet" for file in dataset.files]
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise TableError(
            f"data set {dataset.name}: expected {missing}, found no such file; name the folder "
            f"that holds it with `data=` or {DATA_VARIABLE}, or neither to fetch the table"
        )
    tables = [pq.read_table(path).replace_schema_metadata(None) for path in paths]
    return pa.concat_tables(tables).combine_chunks()


def _in_classes(table: pa.Table) -> pa.Table:
    """Abalone as a classification: rings up to 8, 9 and 10, and from 11 on."""
    rings = table["rings"]
    classes = pc.if_else(
        pc.less_equal(rings, 8), "young", pc.if_else(pc.less_equal(rings, 10), "adult", "old")
    )
    return table.set_column(table.column_names.index("rings"), "rings", classes)
