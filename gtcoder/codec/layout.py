"""The contract between the codec and the network: which fields a row has once encoded.

The network never sees a table: it follows a `Layout`, a list of fields, each with a code and,
for numbers, a scalar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np


class Scalar(StrEnum):
    """What the scalar beside a code means."""

    NONE = "none"
    """There is none: the code says everything."""
    UNIFORM = "uniform"
    """Position within the code's quantile bin, in [0, 1)."""
    MODE = "mode"
    """Value normalised by the code's Gaussian mode, in [-1, 1] (mode-specific normalisation)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One encoded column."""

    name: str
    """The table's column."""
    cardinality: int
    """Number of codes, those for missing and for the rest of the categories included."""
    scalar: Scalar
    discrete: bool
    """Whether it takes part in Eq. 8's mixture and in the contrastive loss."""
    ordered: bool
    """Whether neighbouring codes are neighbouring values (the last code, missing, excepted)."""
    frequencies: tuple[float, ...]
    """Share of each code in the table, (cardinality,); sums to 1."""
    missing: int = 0
    """So many of the last codes mean that there is no value: NaN, null."""
    spread: tuple[bool, ...] = ()
    """Which codes hold several values, (cardinality,), where the scalar is uniform."""

    @property
    def present(self) -> int:
        """Number of codes that stand for values."""
        return self.cardinality - self.missing

    def __post_init__(self) -> None:
        assert 0 <= self.missing <= self.cardinality, self.name
        assert self.cardinality == len(self.frequencies) >= 1, self.name
        assert len(self.spread) in (0, self.cardinality), self.name


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of an encoded row, in order."""

    fields: tuple[Field, ...]

    def to_dict(self) -> dict[str, Any]:
        """The layout as plain JSON values."""
        return {
            "fields": [
                {name: getattr(field, name) for name in Field.__dataclass_fields__}
                for field in self.fields
            ]
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(
            tuple(
                Field(
                    **{
                        **f,
                        "scalar": Scalar(f["scalar"]),
                        "frequencies": tuple(f["frequencies"]),
                        "spread": tuple(f["spread"]),
                    }
                )
                for f in plain["fields"]
            )
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded rows: `codes` int16 (B, K) and `scalars` float32 (B, K), 0 where a field has none."""

    codes: np.ndarray
    scalars: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


def take(encoded: Encoded, rows: np.ndarray | slice) -> Encoded:
    """The named rows."""
    return Encoded(encoded.codes[rows], encoded.scalars[rows])


def concat(parts: Sequence[Encoded]) -> Encoded:
    """All rows, in order."""
    if len(parts) == 1:
        return parts[0]
    return Encoded(
        np.concatenate([p.codes for p in parts]), np.concatenate([p.scalars for p in parts])
    )


def none(layout: Layout) -> Encoded:
    """No rows of a layout."""
    width = len(layout.fields)
    return Encoded(np.zeros((0, width), np.int16), np.zeros((0, width), np.float32))


def some(encoded: Encoded, most: int, rng: np.random.Generator) -> Encoded:
    """At most `most` rows, drawn without order so that a sorted table gives all of its kinds."""
    if len(encoded) <= most:
        return encoded
    return take(encoded, rng.permutation(len(encoded))[:most])


@dataclass(frozen=True, slots=True)
class Constraint:
    """What one field of a row must be to meet a condition, all float32 (cardinality,)."""

    weights: np.ndarray
    """The share of each code's rows that meet it."""
    low: np.ndarray
    """The least scalar that does, in each code."""
    high: np.ndarray
    """The greatest scalar that does, in each code; included."""
