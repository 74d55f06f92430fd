"""Which columns drive the fused representation of a row, read off the attention that fuses it.

The row of [CLS] in the attention matrix says how much each column contributed; the rest of the
matrix says which columns attend to which (the paper's "Interpretability" and Figure 4). Nothing of
a single row is kept unless `explain_rows` is asked for it.

Shapes: B rows, K fields.
"""

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, Layout
from gtcoder.errors import ConfigError, GTCoderError, TableError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.table.files import Uri, write_bytes
from gtcoder.training.rows.encoded import EncodedRows

CHUNK_WEIGHTS = 1 << 22
"""Attention weights, over all heads, that are in memory at once."""
DECIMALS = 6
"""Shares are kept to so many decimals."""
LARGEST_PICTURE = 80
"""Columns a heat map shows; of more, those that contribute most."""
LONGEST_NAME = 28
"""Characters of a column's name in a heat map."""
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

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON values."""
        return {
            "rows": self.rows,
            "contributions": dict(self.contributions),
            "matrix": [list(row) for row in self.matrix],
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
        return cls(rows=plain["rows"], contributions=dict(plain["contributions"]), matrix=matrix)


def explain_training(
    model: GTCoder, layout: Layout, rows: EncodedRows, *, seed: int
) -> dict[str, Any]:
    """What a bundle keeps: the explanation of some training rows; nothing without the fusion."""
    if not model.config.fusion:
        return {}
    shown = rows.shard(rank=0, world=1, most=TRAINING_ROWS, seed=seed)
    return explain(model, layout, shown).to_dict()


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
    """Draw the attention between columns, and beside it what each contributes, as a PNG.

    Columns are in order of contribution; green is least, red is most (the paper's Figure 4).

    Args:
        explanation: what to draw.
        target: path, URI or binary file.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GTCoderError(
            'the heat map needs matplotlib: pip install "gtcoder[evaluate]"'
        ) from error
    names = sorted(explanation.contributions, key=lambda n: -explanation.contributions[n])
    shown = names[:LARGEST_PICTURE]
    side = 3.5 + 0.22 * max(len(shown), 8)
    figure = Figure(figsize=(1.5 * side + 1.5, side), dpi=120, layout="constrained")
    _draw(figure, explanation, shown)
    picture = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(picture, format="png")
    if isinstance(target, str | os.PathLike):
        write_bytes(target, picture.getvalue())
    else:
        target.write(picture.getvalue())


def _draw(figure: Any, explanation: Explanation, names: list[str]) -> None:
    at = {name: index for index, name in enumerate(explanation.contributions)}
    order = [at[name] for name in names]
    matrix = 100 * np.array(explanation.matrix)[np.ix_(order, order)]
    shares = 100 * np.array([explanation.contributions[name] for name in names])
    labels = [_short(name) for name in names]
    heat, bars = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    brightest = float(np.quantile(matrix, 0.995))  # a lone cell does not dim the others
    image = heat.imshow(matrix, cmap="RdYlGn_r", aspect="auto", vmax=brightest)
    heat.set_xticks(range(len(names)), labels, rotation=90, fontsize=8)
    heat.set_yticks(range(len(names)), labels, fontsize=8)
    heat.set_xlabel("is attended to")
    heat.set_ylabel("attends")
    heat.set_title("Attention between columns, %", fontsize=10)
    figure.colorbar(image, ax=heat, fraction=0.04, pad=0.02, extend="max")
    spread = max(float(np.ptp(shares)), 1e-9)
    drawn = bars.barh(range(len(names)), shares, color=image.cmap((shares - shares.min()) / spread))
    bars.bar_label(drawn, fmt="%.1f", padding=2, fontsize=8)
    bars.margins(x=0.2)
    bars.tick_params(labelleft=False, labelsize=8)
    few = len(names) < len(explanation.contributions)
    first = f" (the first {len(names)})" if few else ""
    bars.set_title(f"Contribution to [CLS], %{first}", fontsize=10)


def _short(name: str) -> str:
    """A name that fits beside the picture, drawn as it is: a dollar sign starts no formula."""
    name = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return name.replace("$", r"\$")
