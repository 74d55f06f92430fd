"""A small comparison of real and synthetic rows, for a first look; not an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Field

_GROUPS = 10
"""Codes are put in so many groups before pairs of columns are compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two tables are, seen through the codec."""

    columns: dict[str, float]
    """Overlap of each learned column's distribution, 1 when they are the same."""
    pairs: float
    """Mean overlap of the joint distributions of all pairs of columns, in coarse groups."""

    @property
    def mean(self) -> float:
        """Mean overlap over columns."""
        return float(np.mean(list(self.columns.values())))


def compare(real: pa.Table, synthetic: pa.Table, codec: Codec) -> Comparison:
    """Compare two tables column by column and pair by pair."""
    fields = codec.layout.fields
    one, other = codec.encode(real).codes, codec.encode(synthetic).codes
    columns = {
        field.name: _overlap(one[:, k], other[:, k], field.cardinality)
        for k, field in enumerate(fields)
    }
    groups = [_groups(field) for field in fields]
    coarse, coarse_other = (
        np.stack([groups[k][codes[:, k]] for k in range(len(fields))], 1) for codes in (one, other)
    )
    pairs = [
        _overlap(
            coarse[:, a] * _GROUPS + coarse[:, b],
            coarse_other[:, a] * _GROUPS + coarse_other[:, b],
            _GROUPS**2,
        )
        for a, b in combinations(range(len(fields)), 2)
    ]
    return Comparison(columns, float(np.mean(pairs)) if pairs else 1.0)


def table_lines(real: pa.Table, synthetic: pa.Table, comparison: Comparison) -> list[str]:
    """The comparison as lines of text: each column's centre, missing share and overlap."""
    rows = [("column", "real", "synthetic", "overlap")]
    for name, overlap in comparison.columns.items():
        rows.append((name, _summary(real[name]), _summary(synthetic[name]), f"{overlap:.1%}"))
    return _aligned(rows)


def _overlap(one: np.ndarray, other: np.ndarray, size: int) -> float:
    """One minus the total variation distance of two samples of codes."""
    shares = [np.bincount(codes, minlength=size) / max(len(codes), 1) for codes in (one, other)]
    return float(np.minimum(*shares).sum())


def _groups(field: Field) -> np.ndarray:
    """The group of each code, (cardinality,): neighbours of about equal share, or the commonest."""
    shares = np.asarray(field.frequencies)
    if field.ordered:
        middle = shares.cumsum() - shares / 2
        groups: np.ndarray = np.minimum((middle * _GROUPS).astype(int), _GROUPS - 1)
        return groups
    rank = np.empty(len(shares), int)
    rank[np.argsort(-shares, kind="stable")] = np.arange(len(shares))
    return np.minimum(rank, _GROUPS - 1)


def _summary(column: pa.ChunkedArray) -> str:
    missing = column.null_count / max(len(column), 1)
    ending = f", {missing:.1%} missing" if missing else ""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        mean, spread = pc.mean(column).as_py(), pc.stddev(column).as_py()
        return f"{mean:,.1f} ± {spread:,.1f}{ending}" if mean is not None else "missing"
    if pa.types.is_temporal(column.type):
        middle = pc.quantile(column.cast(pa.int64()), 0.5, interpolation="nearest")
        return f"around {middle.cast(column.type)[0].as_py():%Y-%m-%d %H:%M}{ending}"
    counts = pc.value_counts(column.drop_null())
    if not len(counts):
        return "missing"
    most = max(counts.to_pylist(), key=lambda each: each["counts"])
    share = most["counts"] / len(column)
    return f"{most['values']} {share:.1%} of {len(counts):,}{ending}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
