"""Conditions on columns that rules derive, as constraints on the fields that they follow from.

Shapes: V codes of a field, N combinations of codes.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.codec.category import CategoryTransform
from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Constraint, Scalar
from gtcoder.codec.transform import RowDraws
from gtcoder.rules.rule import Derived
from gtcoder.rules.together import Together, from_lookup_array
from gtcoder.table.types import value_type
from gtcoder.where.conditions import Check

MOST_COMBINATIONS = 1 << 18
"""Of the codes of what a column follows from; of more, whole rows are looked at alone."""


def combined(codec: Codec, rule: Together, at: int, check: Check) -> Constraint:
    """The codes of columns kept together in which one of them meets a check.

    Rows of rare combinations, of which that column is not known, are left out.
    """
    transform = codec.transforms[at]
    values, known = rule.members(check.name)
    kind = value_type(codec.schema[check.name].type)
    met = check.met(from_lookup_array(values, kind)) & known
    size = transform.field.cardinality if transform.field else 1
    weights = np.zeros(size, np.float32)
    if isinstance(transform, CategoryTransform):
        met &= pc.is_in(pa.array(np.arange(len(met))), value_set=transform.values).to_numpy(False)
    codes, _ = transform.encode(pa.array(np.flatnonzero(met), pa.int64()))
    weights[codes] = 1.0
    return Constraint(weights, np.zeros(size, np.float32), np.zeros(size, np.float32))


def projected(codec: Codec, rule: Derived, check: Check) -> Mapping[int, Constraint]:
    """What fields must be so that a derived column can meet a check.

    A field is bound where all that the column follows from has a code for each value: to the codes
    that meet the check with some codes of the others.
    """
    places = {column.name: at for at, column in enumerate(codec.learned)}
    sources = codec.rules.sources(rule.target)
    grids: dict[int, np.ndarray] = {}
    columns: dict[str, pa.Array] = {}
    for name in sources:
        field = codec.transforms[places[name]].field
        if field is not None and field.scalar is not Scalar.NONE:
            return {}
        grids[places[name]] = np.arange(field.cardinality if field else 1, dtype=np.int16)
    if np.prod([float(len(codes)) for codes in grids.values()]) > MOST_COMBINATIONS:
        return {}
    mesh = np.meshgrid(*grids.values(), indexing="ij")
    for at, codes in zip(grids, mesh, strict=True):
        flat = np.ascontiguousarray(codes.ravel())
        rows = RowDraws(np.full((len(flat), 2), 0.5), np.zeros(len(flat), np.int64), at)
        scalars = np.zeros(len(flat), np.float32)
        columns[codec.learned[at].name] = codec.transforms[at].decode(flat, scalars, rows)
    found = codec.rules.follow(columns, codec.schema.arrow)
    if rule.target not in found:
        return {}
    met = check.met(found[rule.target]).reshape(mesh[0].shape)
    constraints = {}
    for axis, at in enumerate(grids):
        place = codec.places.get(at)
        if place is None:
            continue
        others = tuple(each for each in range(met.ndim) if each != axis)
        weights = np.asarray(met.any(axis=others), np.float32)
        zeros = np.zeros_like(weights)
        constraints[place] = Constraint(weights, zeros, zeros)
    return constraints


def reachable(codec: Codec, rule: Derived, check: Check) -> bool:
    """Whether a check asks for something between the ends of a column that others nearly give."""
    ends = codec.ends_of(rule)
    if ends is None or check.missing:
        return True
    return any(first <= ends[1] and last >= ends[0] for first, last in check.ranges)


def both(one: Constraint, other: Constraint) -> Constraint:
    """What meets two constraints on one field."""
    return Constraint(
        np.minimum(one.weights, other.weights),
        np.maximum(one.low, other.low),
        np.minimum(one.high, other.high),
    )
