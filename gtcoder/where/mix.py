"""Shares of categories that rows are asked to have, as shares of the codes of a field.

Shapes: V codes of a field.
"""

import math
from collections.abc import Mapping

import numpy as np

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Constraint
from gtcoder.errors import ConditionError
from gtcoder.where.conditions import Conditions

_ROUNDING = 1e-6
"""By so much shares may miss a sum of 1."""


def mixed(
    codec: Codec, name: str, asked: Mapping[object, object], each: Mapping[object, Conditions]
) -> tuple[int, np.ndarray]:
    """The field of a column, and the share of rows that each of its codes is to have, (V,).

    What is asked for goes to the codes of a category as they are in the table; what is left of 1
    goes to all others, as they are in the table. Of equal shares nothing is left.

    Args:
        codec: knows how often each code is.
        name: the column.
        asked: the share of each category; none means equal shares of all that are not missing.
        each: what fields must be to have a category, of each that is asked for.

    Raises:
        ConditionError: the column is none of categories, or shares are no shares.
    """
    fields = {place for conditions in each.values() for place in conditions.fields}
    if len(fields) != 1 or any(conditions.checks for conditions in each.values()):
        raise ConditionError(
            f"shares of {name!r}: expected a column of categories that is learned by itself; found "
            "one that follows from others; ask for shares of those"
        )
    place = fields.pop()
    frequencies = np.array(codec.layout.fields[place].frequencies)
    shares, left = np.zeros(len(frequencies)), frequencies.copy()
    for category, conditions in each.items():
        weights = np.asarray(conditions.fields[place].weights, np.float64)
        share = _share(name, category, asked[category]) if asked else 1 / len(each)
        shares += share * _normed(weights * np.maximum(frequencies, 1e-12))
        left *= weights == 0
    total = shares.sum()
    if total > 1 + _ROUNDING:
        raise ConditionError(f"shares of {name!r}: they sum to {total:g}; expected at most 1")
    rest = max(1 - total, 0.0)
    if rest > _ROUNDING and not left.any():
        raise ConditionError(
            f"shares of {name!r}: all categories are named and sum to {total:g}; expected 1"
        )
    return place, shares + rest * _normed(left)


def weighed(codec: Codec, mix: tuple[int, np.ndarray]) -> Constraint:
    """A constraint under which rows of a code are as likely as their asked share makes them."""
    place, shares = mix
    ratio = shares / np.maximum(codec.layout.fields[place].frequencies, 1e-12)
    weights = (ratio / ratio.max()).astype(np.float32)
    return Constraint(weights, np.zeros_like(weights), np.zeros_like(weights))


def _normed(weights: np.ndarray) -> np.ndarray:
    return weights / max(weights.sum(), 1e-300)


def _share(name: str, category: object, share: object) -> float:
    value = float(share) if isinstance(share, int | float) else math.nan
    if not 0 <= value <= 1:
        raise ConditionError(
            f"shares of {name!r}: expected a number from 0 to 1 for {category}, found {share!r}"
        )
    return value
