"""The categorical draws that make a row: a field's code, and where in its span a number lies.

A field of many codes takes two draws for its code.

Shapes: B rows, K fields, S steps, V_s outcomes of step s.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.codec.layout import Field, Layout, Scalar

LARGEST_STEP = 256
"""A field of more codes, not counting those for missing, is drawn in two steps of about the square
root each."""
CELLS = 16
"""Equal parts of a code's span, of which one is drawn after the code; within it a number lies
uniformly."""


@dataclass(frozen=True, slots=True)
class Step:
    """One categorical draw: a field's code, its leading or trailing digit, or its cell."""

    field: int
    """Index of the field."""
    size: int
    """Number of outcomes."""
    divisor: int
    """The digit is code // divisor % size; 0 where the step draws the cell of a number."""

    @property
    def is_cell(self) -> bool:
        """Whether it draws where in its code's span a number lies."""
        return self.divisor == 0


def steps_of(layout: Layout, *, cells: bool = True) -> list[Step]:
    """The draws that make a row, in order.

    Args:
        layout: the encoded row.
        cells: whether the place of a number within its code is drawn, where it has one.
    """
    steps = []
    for k, field in enumerate(layout.fields):
        if field.present <= LARGEST_STEP:
            steps.append(Step(k, field.cardinality, 1))
        else:
            low = math.isqrt(field.cardinality - 1) + 1
            steps += [Step(k, -(-field.cardinality // low), low), Step(k, low, 1)]
        if cells and has_cells(field):
            steps.append(Step(k, CELLS, 0))
    return steps


def has_cells(field: Field) -> bool:
    """Whether some code of a field has a span; one of very many codes is drawn finely as it is."""
    spans = field.scalar is Scalar.UNIFORM and any(field.spread)
    return spans and field.present <= LARGEST_STEP


def cells_of(scalars: Tensor) -> Tensor:
    """The cell of each position in [0, 1), int64, of any shape."""
    return (scalars * CELLS).long().clamp_(0, CELLS - 1)


def digit_frequencies(step: Step, frequencies: Sequence[float]) -> Tensor:
    """Share of each outcome of a step, (V_s,), from the shares of its field's codes.

    Cells are equal parts.
    """
    if step.is_cell:
        return torch.full((step.size,), 1 / step.size)
    codes = torch.arange(len(frequencies)).div(step.divisor, rounding_mode="floor") % step.size
    shares = torch.tensor(frequencies, dtype=torch.float32)
    return torch.zeros(step.size).index_add(0, codes, shares)
