"""The scalar beside each drawn code: a position within its bin, or one of Eq. 12's Gaussians.

Shapes: T rows of a tile, K fields, H hidden.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.model.decoder import Decoder
from gtcoder.model.steps import CELLS

Spans = Mapping[int, tuple[Tensor, Tensor]]
"""Of each constrained field, the least and the greatest scalar of each code."""


def draw_scalars(
    decoder: Decoder,
    layout: Layout,
    codes: Tensor,
    cells: Mapping[int, Tensor],
    first: Tensor,
    spans: Sequence[tuple[slice, Spans]],
    uniforms: Tensor,
) -> Tensor:
    """Scalars float32 (T, K), within the spans that meet the rows' conditions.

    Args:
        decoder: has the Gaussians of modes.
        layout: what each field's scalar means.
        codes: int64 (T, K).
        cells: of fields that have some, the part of the code's span that was drawn, int64 (T,).
        first: the state before the first step, (T, H).
        spans: rows, and the spans of their constrained fields.
        uniforms: float64 (T, K) in [0, 1).
    """
    scalars = below_one(uniforms)
    low, high = torch.zeros_like(scalars), torch.ones_like(scalars)
    for field, drawn in cells.items():
        low[:, field] = drawn / CELLS
        high[:, field] = (drawn + 1) / CELLS
    _narrow(low, high, codes, spans)
    scalars = (low + scalars * (high - low)).clamp_max(1 - 2**-24)
    if decoder.modes:
        drawn = _mode_scalars(decoder, codes, torch.relu(first), spans, uniforms)
        scalars[:, decoder.modes] = drawn[:, decoder.modes]
    none = [k for k, field in enumerate(layout.fields) if field.scalar is Scalar.NONE]
    scalars[:, none] = 0.0
    return scalars


def below_one(uniforms: Tensor) -> Tensor:
    """As float32, where a float64 next to 1 would round to 1 and fall outside [0, 1)."""
    return uniforms.float().clamp_max(1 - 2**-24)


def _mode_scalars(
    decoder: Decoder,
    codes: Tensor,
    hidden: Tensor,
    spans: Sequence[tuple[slice, Spans]],
    uniforms: Tensor,
) -> Tensor:
    """Eq. 12's Gaussians within [-1, 1], or the span that meets a condition, (T, K)."""
    mean, log_std = decoder.scalar_distribution(hidden)
    std = log_std.exp()
    low, high = torch.full_like(mean, -1.0), torch.full_like(mean, 1.0)
    _narrow(low, high, codes, spans)
    start = torch.special.ndtr(((low - mean) / std).double()).where(low > -1, 0.0)
    end = torch.special.ndtr(((high - mean) / std).double()).where(high < 1, 1.0)
    within = (start + uniforms * (end - start)).clamp(1e-12, 1 - 1e-12)
    noise = torch.special.ndtri(within).float()
    return torch.clamp(mean + std * noise, low, high)


def _narrow(low: Tensor, high: Tensor, codes: Tensor, spans: Sequence[tuple[slice, Spans]]) -> None:
    """Bring the spans of scalars (T, K) to what meets the conditions.

    A cell that was drawn under them has a part that does.
    """
    for rows, fields in spans:
        for field, (least, most) in fields.items():
            at = codes[rows, field]
            low[rows, field] = low[rows, field].maximum(least[at])
            high[rows, field] = high[rows, field].minimum(most[at])
