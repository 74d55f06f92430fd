"""The categorical draws that make a row: one a field, or two where a field has many codes.

Shapes: B rows, K fields, V_s outcomes of step s.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.codec.layout import Layout

LARGEST_STEP = 256
"""A field of more codes, not counting those for missing, is drawn in two steps of about the square
root each."""


@dataclass(frozen=True, slots=True)
class Step:
    """One categorical draw: a field's code, or its leading or trailing digit."""

    field: int
    """Index of the field."""
    size: int
    """Number of outcomes."""
    divisor: int
    """The digit is code // divisor % size."""

    def digit(self, codes: Tensor) -> Tensor:
        """The outcome of this step in encoded rows (B, K) → (B,)."""
        return codes[:, self.field].div(self.divisor, rounding_mode="floor") % self.size


def steps_of(layout: Layout) -> list[Step]:
    """The draws that make a row, in order."""
    steps = []
    for k, field in enumerate(layout.fields):
        if field.present <= LARGEST_STEP:
            steps.append(Step(k, field.cardinality, 1))
        else:
            low = math.isqrt(field.cardinality - 1) + 1
            steps += [Step(k, -(-field.cardinality // low), low), Step(k, low, 1)]
    return steps


def digit_frequencies(step: Step, frequencies: Sequence[float]) -> Tensor:
    """Share of each outcome of a step, (V_s,), from the shares of its field's codes."""
    codes = torch.arange(len(frequencies)).div(step.divisor, rounding_mode="floor") % step.size
    shares = torch.tensor(frequencies, dtype=torch.float32)
    return torch.zeros(step.size).index_add(0, codes, shares)
