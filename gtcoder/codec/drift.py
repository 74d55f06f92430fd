"""How far the rows of a new table are from those that a codec was fitted on, column by column.

All of it follows from the new table's sketch and the shares that the codec holds: no row of the
earlier table is needed.

Shapes: V codes of a column.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gtcoder.codec.category import CategoryTransform
from gtcoder.codec.codec import Codec
from gtcoder.codec.counted import Counted, Misfit, counted, missing_codes, names
from gtcoder.codec.number import NumberTransform
from gtcoder.codec.pattern import PatternTransform
from gtcoder.codec.transform import Transform
from gtcoder.sketch.table import TableSketch

THRESHOLD = 0.05
"""Drift from which on a table is said to have drifted."""
ONE_IN = 10_000
"""Of so many columns of rows of the same kind, about one exceeds what is taken for chance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """How one column differs from what it was."""

    name: str
    distance: float
    """Total variation over the column's codes, in [0, 1]: the share of rows whose value would have
    to be another for the column to be as it was."""
    chance: float
    """So much of that may be chance, with as few rows as there are."""
    changed: str
    """What changed most, in a phrase."""
    misfits: tuple[Misfit, ...]
    """Rows whose value has no code of its own, where they are more than was to be expected."""

    @property
    def drift(self) -> float:
        """The distance that is no chance, in [0, 1]."""
        return max(self.distance - self.chance, 0.0)


def drift_of(codec: Codec, sketch: TableSketch, known_rows: int) -> list[ColumnDrift]:
    """The drift of every column of which something is known, in the table's order.

    Args:
        codec: has the shares of the earlier rows.
        sketch: of what the codec learns of the new rows: those of its columns that are there, with
            types that convert to theirs.
        known_rows: how many rows the codec's shares are of.
    """
    return [
        _drift(name, transform, found, known_rows)
        for name, transform, found in _each(codec, sketch, known_rows)
        if found.now.any()
    ]


def mixed(codec: Codec, sketch: TableSketch, known_rows: int) -> Codec:
    """The codec with the shares of the earlier and the new rows together; its codes stay."""
    shares = {}
    for name, _, found in _each(codec, sketch, known_rows):
        rows = known_rows * found.before + found.now
        rows[found.usual_code] += rows[-1]
        shares[name] = tuple((rows[:-1] / max(rows[:-1].sum(), 1)).tolist())
    columns = zip(codec.learned, codec.transforms, strict=True)
    transforms = (_with_shares(t, shares[c.name]) if t.field else t for c, t in columns)
    return replace(codec, transforms=tuple(transforms))


def _with_shares(transform: Transform, shares: tuple[float, ...]) -> Transform:
    if isinstance(transform, PatternTransform):
        return replace(transform, missing=shares[1])
    assert isinstance(transform, CategoryTransform | NumberTransform)
    return replace(transform, frequencies=shares)


def _each(
    codec: Codec, sketch: TableSketch, known_rows: int
) -> Iterator[tuple[str, Transform, Counted]]:
    """The columns that are in the sketch and of which something is known."""
    for column, transform in zip(codec.learned, codec.transforms, strict=True):
        new = sketch.columns.get(column.name)
        found = None if new is None else counted(transform, new, known_rows)
        if found is not None:
            yield column.name, transform, found


def _drift(name: str, transform: Transform, found: Counted, known_rows: int) -> ColumnDrift:
    rows = found.now.sum()
    now = found.now / rows
    return ColumnDrift(
        name=name,
        distance=float(np.abs(now - found.before).sum() / 2),
        chance=_chance(found.before, now, known_rows, rows),
        changed=_changed(transform, found, now),
        misfits=tuple(each for each in found.misfits if each.matters),
    )


def _chance(before: np.ndarray, now: np.ndarray, known_rows: int, rows: float) -> float:
    """What the total variation of two samples of one distribution may be.

    Its mean, ½ Σ_v sqrt(2/π · p_v (1 − p_v) · s) with s = 1/n + 1/m and p the shares of both, and
    the deviation that it exceeds once in `ONE_IN`, sqrt(s · log(`ONE_IN`) / 2), by McDiarmid's
    inequality: a row more or less in a code changes it by 1/n or 1/m.
    """
    known_rows = max(known_rows, 1)
    spread = 1 / rows + 1 / known_rows
    both = (known_rows * before + rows * now) / (known_rows + rows)
    mean = 0.5 * np.sqrt(2 / math.pi * both * (1 - both) * spread).sum()
    return float(mean + math.sqrt(spread * math.log(ONE_IN) / 2))


def _changed(transform: Transform, found: Counted, now: np.ndarray) -> str:
    """The largest of what changed, in a phrase; what has no code counts double, for it is news."""
    rows, before = found.now.sum(), found.before
    said = [
        (2 * (each.rows - each.usual) / rows, f"{each.rows / rows:.1%} of rows {each.what}")
        for each in found.misfits
    ]
    gone = missing_codes(transform)
    then, since = before[gone].sum(), now[gone].sum()
    said.append((abs(since - then), f"missing {then:.1%} → {since:.1%}"))
    if isinstance(transform, NumberTransform) and len(transform.coding):
        said.append(_moved(before, now, len(transform.coding)))
    for code, name in names(transform).items():
        change = abs(now[code] - before[code])
        said.append((change, f"{name} {before[code]:.1%} → {now[code]:.1%}"))
    size, phrase = max(said, key=lambda each: each[0])
    return phrase if size > 0 else ""


def _moved(before: np.ndarray, now: np.ndarray, values: int) -> tuple[float, str]:
    """How far a column's numbers moved along their earlier order, and which way."""
    old, new = before[:values], now[:values]
    if not old.sum() or not new.sum():
        return 0.0, ""
    old, new = old / old.sum(), new / new.sum()
    distance = float(np.abs(new - old).sum() / 2)
    rank = float((new * (old.cumsum() - old / 2)).sum())  # 0.5 for the same shares
    if abs(rank - 0.5) < distance / 4:
        return distance, "another shape"
    return distance, f"{'higher' if rank > 0.5 else 'lower'}: mean rank 50% → {rank:.0%}"
