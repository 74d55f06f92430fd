"""Which columns drive the fused representation of a row, read off the attention that fuses it.

The row of [CLS] in the attention matrix says how much each column contributed; the rest of the
matrix says which columns attend to which (the paper's "Interpretability" and Figure 4). Nothing of
a single row is kept unless `explain_rows` is asked for it.

Shapes: B rows, K fields.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

from gtcoder import notebook
from gtcoder.codec.layout import Encoded, Layout
from gtcoder.dependence import Dependence, learned_dependence
from gtcoder.errors import ConfigError, GTCoderError, TableError
from gtcoder.figure import draw_matrix, file_figure, png_of, short, shown_figure
from gtcoder.model.gtcoder import GTCoder
from gtcoder.table.files import Uri, write_bytes
from gtcoder.training.rows.encoded import EncodedRows

CHUNK_WEIGHTS = 1 << 22
"""Attention weights, over all heads, that are in memory at once."""
DECIMALS = 6
"""Shares are kept to so many decimals."""
LARGEST_PICTURE = 80
"""Columns a heat map shows; of more, those that contribute most."""
BARS = "#3d7ab5"
"""The colour of bars, as dark as the middle of a matrix's scale."""
SHOWN = 20
"""Columns that a notebook shows."""
TRAINING_ROWS = 2_000
"""So many training rows a bundle's explanation is the mean of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Contributions of columns, and the attention between them, as means over rows."""

    rows: int
    """How many rows were looked at."""
    contributions: Mapping[str, float]
    """Each column's share of what [CLS] attends to, itself left out; sums to 1."""
    matrix: tuple[tuple[float, ...], ...]
    """(K, K): what each column attends to among the columns, in the order of `contributions`;
    every row sums to 1."""
    dependence: Dependence | None = None
    """What columns tell of one another. A bundle's explanation has it where the model completes
    rows; of rows that are given `Synthesizer.dependence` tells it."""

    @property
    def ranked(self) -> dict[str, float]:
        """The contributions, the largest first."""
        return dict(sorted(self.contributions.items(), key=lambda item: -item[1]))

    def plot(self) -> np.ndarray:
        """Draw what each column attends to, and beside it how much the model reads each column.

        Columns are in order of contribution, dark is most; the dashed line is where all bars would
        end if the model read every column alike.

        Returns:
            The two axes of matplotlib; `plot()[0].figure.savefig("attention.png")` keeps them.

        Raises:
            GTCoderError: matplotlib is not installed.
        """
        return _draw(shown_figure(*_size(self)), self)

    def __str__(self) -> str:
        """A line for each column, the largest contribution first."""
        return "\n".join(f"{share:6.1%}  {name}" for name, share in self.ranked.items())

    def _repr_html_(self) -> str:
        """The columns that are read most, for notebooks."""
        shown = list(self.ranked.items())[:SHOWN]
        rows = [(name, f"{share:.1%}") for name, share in shown]
        told = notebook.table(("column", "is read", ""), rows, [share for _, share in shown])
        left = len(self.contributions) - len(shown)
        return told + (notebook.paragraph(f"and {left} more columns") if left else "")

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON values."""
        return {
            "rows": self.rows,
            "contributions": dict(self.contributions),
            "matrix": [list(row) for row in self.matrix],
            "dependence": None if self.dependence is None else self.dependence.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: these are not an explanation's values.
        """
        columns = len(plain.get("contributions", ()))
        matrix = tuple(tuple(row) for row in plain.get("matrix", ()))
        if "rows" not in plain or not columns or {len(matrix), *map(len, matrix)} != {columns}:
            raise ConfigError(
                "not an explanation: expected rows, contributions and a square matrix of as many "
                "columns; a model trained without the fusion transformer has none"
            )
        found = plain.get("dependence")
        return cls(
            rows=plain["rows"],
            contributions=dict(plain["contributions"]),
            matrix=matrix,
            dependence=None if found is None else Dependence.from_dict(found),
        )


def explain_training(
    model: GTCoder, layout: Layout, rows: EncodedRows, *, seed: int, most: int
) -> dict[str, Any]:
    """What a bundle keeps: the explanation of some training rows; nothing without the fusion.

    Args:
        model: trained.
        layout: its fields.
        rows: of the training.
        seed: which of them are looked at.
        most: so many times a row may be looked at for the dependence.
    """
    if not model.config.fusion:
        return {}
    found = explain(model, layout, rows.shard(rank=0, world=1, most=TRAINING_ROWS, seed=seed))
    names = list(found.ranked)
    told = learned_dependence(model, layout, rows, names, seed=seed, most=most)
    return replace(found, dependence=told).to_dict()


def explain(model: GTCoder, layout: Layout, encoded: Encoded) -> Explanation:
    """What the model attends to, averaged over rows.

    Raises:
        GTCoderError: the model has no fusion transformer.
        TableError: there are no rows.
    """
    if not len(encoded):
        raise TableError("no rows to explain: expected at least one")
    fields = len(layout.fields)
    total = torch.zeros(fields + 1, fields, dtype=torch.float64)
    for shares in _shares(model, encoded):
        total += shares.double().sum(0)
    mean = (total / len(encoded)).numpy().round(DECIMALS)  # (K + 1, K), [CLS] first
    names = [field.name for field in layout.fields]
    return Explanation(
        rows=len(encoded),
        contributions=dict(zip(names, mean[0].tolist(), strict=True)),
        matrix=tuple(map(tuple, mean[1:].tolist())),
    )


def explain_rows(model: GTCoder, encoded: Encoded) -> np.ndarray:
    """Each row's own contributions, float32 (B, K); rows sum to 1.

    `Explanation.contributions` is their mean.

    Raises:
        GTCoderError: the model has no fusion transformer.
    """
    width = encoded.codes.shape[1]
    chunks = [np.zeros((0, width), np.float32)]
    return np.concatenate([*chunks, *(shares[:, 0].numpy() for shares in _shares(model, encoded))])


@torch.inference_mode()
def _shares(model: GTCoder, encoded: Encoded) -> Iterator[Tensor]:
    """Attention to the fields alone, (chunk, K + 1, K), whose last dimension sums to 1."""
    if not len(model.fusion.blocks):
        raise GTCoderError(
            "this model was trained without the fusion transformer (an ablation): it has no "
            "attention to explain; train one with it"
        )
    device = model.tokens.cls.device
    length = encoded.codes.shape[1] + 1
    chunk_rows = max(1, CHUNK_WEIGHTS // (model.config.heads * length**2))
    for start in range(0, len(encoded), chunk_rows):
        rows = slice(start, start + chunk_rows)
        codes = torch.from_numpy(np.ascontiguousarray(encoded.codes[rows])).to(device).long()
        scalars = torch.from_numpy(np.ascontiguousarray(encoded.scalars[rows])).to(device)
        to_fields = model.attention(codes, scalars)[:, :, 1:].float()  # (chunk, K + 1, K)
        yield (to_fields / to_fields.sum(-1, keepdim=True)).cpu()


def heat_map(explanation: Explanation, target: Uri | BinaryIO) -> None:
    """Write the picture that `Explanation.plot` draws, as a PNG.

    Args:
        explanation: what to draw.
        target: path, URI or binary file.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    figure = file_figure(*_size(explanation))
    _draw(figure, explanation)
    if isinstance(target, str | os.PathLike):
        write_bytes(target, png_of(figure))
    else:
        target.write(png_of(figure))


def _size(explanation: Explanation) -> tuple[float, float]:
    """Width and height of the picture in inches."""
    shown = min(len(explanation.contributions), LARGEST_PICTURE)
    side = 3.5 + 0.22 * max(shown, 8)
    return 1.5 * side + 1.5, side


def _draw(figure: Any, explanation: Explanation) -> np.ndarray:
    """Draw attention and contributions, the largest first; the axes of both."""
    names = list(explanation.ranked)[:LARGEST_PICTURE]
    at = {name: index for index, name in enumerate(explanation.contributions)}
    order = [at[name] for name in names]
    matrix = 100 * np.array(explanation.matrix)[np.ix_(order, order)]
    axes: np.ndarray = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    _draw_matrix(figure, axes[0], matrix, [short(name) for name in names])
    shares = 100 * np.array([explanation.contributions[name] for name in names])
    _draw_shares(axes[1], shares, len(at))
    return axes


def _draw_matrix(figure: Any, axes: Any, matrix: np.ndarray, labels: list[str]) -> None:
    draw_matrix(figure, axes, matrix, labels)
    axes.set_xlabel("is attended to")
    axes.set_ylabel("attends")
    axes.set_title("Attention between columns, %", fontsize=10)


def _draw_shares(axes: Any, shares: np.ndarray, columns: int) -> None:
    """Bars, and a line where all would end if every column were read alike."""
    drawn = axes.barh(range(len(shares)), shares, color=BARS)
    axes.axvline(100 / columns, color="black", linewidth=1, linestyle="--")
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8, bbox=box)
    axes.margins(x=0.2)
    axes.tick_params(labelleft=False, labelsize=8)
    few = f"the first {len(shares)}; " if len(shares) < columns else ""
    axes.set_xlabel(f"{few}dashed: 1/columns, {100 / columns:.1f}", fontsize=9)
    axes.set_title("How much the model\nreads each column, %", fontsize=10)
