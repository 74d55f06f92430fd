"""How much columns tell of one another beyond what all others tell, in nats, as the model sees it.

Shapes: B rows, K fields, N of them that are looked at.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import torch

from gtcoder.codec.layout import Encoded, Layout, some
from gtcoder.errors import ConfigError, TableError
from gtcoder.figure import draw_matrix, file_figure, png_of, short, shown_figure
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.leave_one_out import LeaveOneOut
from gtcoder.score import chunks, needs_completing
from gtcoder.seeds import Purpose, generator
from gtcoder.table.files import Uri, write_bytes
from gtcoder.training.rows.encoded import EncodedRows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DECIMALS = 4
"""Nats are kept to so many."""
LEAST_ROWS, MOST_ROWS = 200, 2_000
"""Rows that a bundle's is the mean of: fewer say too little, more take too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependence:
    """What every two of some columns tell of one another."""

    rows: int
    """How many rows were looked at."""
    columns: tuple[str, ...]
    nats: tuple[tuple[float, ...], ...]
    """(N, N), symmetric, in the order of the columns; 0 on the diagonal."""

    @property
    def frame(self) -> pd.DataFrame:
        """The nats, with the columns as index and columns."""
        return pd.DataFrame(self.nats, list(self.columns), list(self.columns), dtype=float)

    @property
    def pairs(self) -> list[tuple[str, str, float]]:
        """All pairs of columns and their nats, the strongest first."""
        places = combinations(range(len(self.columns)), 2)
        found = [(self.columns[i], self.columns[j], self.nats[i][j]) for i, j in places]
        return sorted(found, key=lambda pair: -pair[2])

    def __str__(self) -> str:
        """A line for each pair that tells something, the strongest first."""
        return "\n".join(f"{nats:6.2f}  {a} – {b}" for a, b, nats in self.pairs if nats >= 0.005)

    def plot(self) -> "Axes":
        """Draw the nats of all pairs: dark is most.

        Returns:
            The axes of matplotlib; `plot().figure.savefig("dependence.png")` keeps them.

        Raises:
            GTCoderError: matplotlib is not installed.
        """
        axes: Axes = _draw(shown_figure(*_size(self)), self)
        return axes

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        nats = [list(row) for row in self.nats]
        return {"rows": self.rows, "columns": list(self.columns), "nats": nats}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: these are not its values.
        """
        columns = tuple(plain.get("columns", ()))
        nats = tuple(tuple(row) for row in plain.get("nats", ()))
        if "rows" not in plain or {len(nats), *map(len, nats)} - {len(columns)}:
            raise ConfigError("expected rows, columns and a square matrix of nats")
        return cls(rows=plain["rows"], columns=columns, nats=nats)


def learned_dependence(
    model: GTCoder,
    layout: Layout,
    rows: EncodedRows,
    columns: Sequence[str],
    *,
    seed: int,
    most: int,
) -> Dependence | None:
    """What a bundle keeps, of rows held out of training; where those are few, of training rows.

    Args:
        model: the network.
        layout: its fields.
        rows: of the training.
        columns: the fields, the most important first; as many are looked at as there is time for.
        seed: which rows are taken.
        most: so many times a row may be looked at: once for each column, and for each pair.

    Returns:
        Nothing where the model completes no rows, where there are too few, or where time is short.
    """
    names = [field.name for field in layout.fields]
    count = (math.isqrt(1 + 8 * most // LEAST_ROWS) - 1) // 2  # count (count + 1) / 2 looks
    fields = sorted(names.index(name) for name in columns[:count])
    wanted = min(most // max(math.comb(len(fields) + 1, 2), 1), MOST_ROWS)
    held = rows.validation
    if len(held) < LEAST_ROWS:
        held = rows.shard(rank=0, world=1, most=wanted, seed=seed)
    if not model.config.conditional or len(held) < LEAST_ROWS or len(fields) < 2:
        return None
    shown = some(held, wanted, generator(seed, Purpose.SAMPLE))
    return dependence(model, layout, shown, fields)


@torch.inference_mode()
def dependence(
    model: GTCoder, layout: Layout, encoded: Encoded, fields: Sequence[int] = ()
) -> Dependence:
    """I(i; j | all others) of every two fields, nats.

        I(i; j | rest) = E[log p(x_i | x_j, rest) − log p(x_i | rest)],  i before j,

    the mean drop of the surprise of one field when the other is known as well. It is 0 where two
    columns say nothing of one another that the others do not say: of a chain A → B → C, A and C.
    What the mean of a few rows leaves below 0 is 0.

    Args:
        model: the network.
        layout: its fields.
        encoded: the rows to take the mean of.
        fields: numbers of those to look at, in order; all if empty.

    Raises:
        GTCoderError: the model was not trained to complete rows.
        TableError: there are no rows.
    """
    needs_completing(model)
    if not len(encoded):
        raise TableError("no rows to look at: expected at least one")
    fields = fields or range(len(layout.fields))
    tables, total = model.decoder.tables(), np.zeros((len(fields), len(fields)))
    for codes, scalars in chunks(model, encoded):
        rows = LeaveOneOut(model, codes, scalars, tables)
        known = [rows.surprise(i) for i in fields]
        for (a, i), (b, j) in combinations(enumerate(fields), 2):
            total[a, b] += float((rows.surprise(i, j) - known[a]).double().sum())
    mean = np.maximum((total + total.T) / len(encoded), 0.0).round(DECIMALS)
    return Dependence(
        rows=len(encoded),
        columns=tuple(layout.fields[i].name for i in fields),
        nats=tuple(map(tuple, mean.tolist())),
    )


def dependence_map(found: Dependence, target: Uri) -> None:
    """Write the picture of `Dependence.plot` as a PNG.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    figure = file_figure(*_size(found))
    _draw(figure, found)
    write_bytes(target, png_of(figure))


def _size(found: Dependence) -> tuple[float, float]:
    """Width and height of the picture in inches."""
    side = 3.5 + 0.22 * max(len(found.columns), 8)
    return side + 1, side


def _draw(figure: Any, found: Dependence) -> Any:
    """Draw the matrix; its axes."""
    axes = figure.subplots()
    draw_matrix(figure, axes, np.array(found.nats), [short(name) for name in found.columns])
    axes.set_title(
        "What columns tell of one another\nbeyond what all others tell, nats", fontsize=10
    )
    return axes
