"""What a bundle has learned, as the start of learning more rows.

The codec's codes stay, so that the weights keep their meaning; its shares become those of the
earlier and the new rows together. What the codec has no code for is told.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.codec.drift import drift_of, mixed
from gtcoder.config import Config
from gtcoder.errors import SchemaError
from gtcoder.sampling.sample import Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.types import family_of, is_text, value_type
from gtcoder.training.em import ROWS_AT_THE_END
from gtcoder.training.start import Start

SLOWER = 0.5
"""Of the learning rate by rule: the weights need not go far."""
LARGE_MISFIT = 0.1
"""Of a column's new rows without a code of their own, from which on learning anew is better."""


@dataclass(frozen=True)
class Learned:
    """A bundle that learning goes on from."""

    bundle: Bundle

    @property
    def rows(self) -> int:
        """How many rows it has learned, in all its trainings."""
        return int(self.bundle.info["rows"])

    def codec(self, sketch: TableSketch) -> Codec:
        """The codec with the shares of its own and the new rows together."""
        return mixed(self.bundle.codec, sketch, self.rows)

    def check(self, found: pa.Schema, names: Sequence[str] | None = None) -> None:
        """See that a table has the bundle's columns, or those of some names.

        Raises:
            SchemaError: one is missing, or has another type.
        """
        for name, line in wrong_columns(self.bundle.schema, found).items():
            if names is None or name in names:
                raise SchemaError(f"{line}; give the table the bundle's columns, or learn it anew")

    def misfits(
        self, sketch: TableSketch, columns: Iterable[str], exclude: Iterable[str] = ()
    ) -> list[str]:
        """A line for all in a table that the bundle has no place for, and what becomes of it.

        Args:
            sketch: of the bundle's columns.
            columns: all that the table has.
            exclude: those that are known to be left out.
        """
        expected = {*self.bundle.schema.names, *exclude}
        lines = [
            f"column {name!r} is not in the bundle: left out; learn the table anew to have it"
            for name in columns
            if name not in expected
        ]
        large = False
        for column in drift_of(self.bundle.codec, sketch, self.rows):
            for each in column.misfits:
                share = each.rows / sketch.rows
                large = large or share > LARGE_MISFIT
                lines.append(
                    f"column {column.name!r}: {each.rows:,.0f} rows ({share:.1%}) {each.what}: "
                    f"learned as {each.becomes}"
                )
        if large:
            lines.append(
                f"more than {LARGE_MISFIT:.0%} of the rows of a column do not fit the bundle's "
                "codec; better learn all rows anew"
            )
        return lines

    def start(self, new_rows: int, seed: int) -> Start:
        """What a training on so many new rows goes on from."""
        share = self.rows / max(self.rows + new_rows, 1)
        sampler = Sampler(self.bundle.model(), self.bundle.codec)
        drawn = sampler.encoded(seed, 0, min(self.rows, ROWS_AT_THE_END))
        return Start(weights=self.bundle.model_state, share=share, rows=drawn)

    def config(self, codec: Codec, new_rows: int, epochs: int | None) -> Config:
        """How to go on: the model's own shape, its mixture by the rules for all rows together.

        The training is that of the new rows, at a lower learning rate.
        """
        earlier, preset = self.bundle.config, self.bundle.config.preset
        ruled = Config.for_table(codec.layout, new_rows, preset=preset, epochs=epochs)
        whole = Config.for_table(codec.layout, self.rows + new_rows, preset=preset)
        by_rows = {name: getattr(whole.model, name) for name in _BY_ROWS}
        rate = SLOWER * ruled.training.learning_rate
        return Config(
            preset=preset,
            model=dataclasses.replace(earlier.model, **by_rows),
            training=dataclasses.replace(ruled.training, learning_rate=rate),
        )

    def info(self, new_rows: int) -> dict[str, Any]:
        """What the new bundle says of where it comes from."""
        return {
            "rows": self.rows + new_rows,
            "new_rows": new_rows,
            "from": self.bundle.checksum,
        }


_BY_ROWS = ("components", "dropout", "temperature")
"""What of a model follows from the number of rows and changes no tensor of the network, nor what
one means, as `single_share` would."""


def wrong_columns(schema: Schema, found: pa.Schema) -> dict[str, str]:
    """What is wrong with a table's columns, by name: missing, or with another type.

    Args:
        schema: the bundle's.
        found: the table's.
    """
    wrong = {}
    for column in schema.columns:
        there = column.name in found.names
        if not there or not _converts(found.field(column.name).type, column.type):
            what = found.field(column.name).type if there else "no such column"
            wrong[column.name] = f"column {column.name!r}: expected {column.type}, found {what}"
    return wrong


def _converts(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column's values are of the kind that a codec has learned."""
    found, wanted = value_type(found), value_type(wanted)
    if found.equals(wanted) or pt.is_null(found) or (is_text(found) and is_text(wanted)):
        return True
    if pt.is_temporal(found) or pt.is_temporal(wanted):
        return bool(found.id == wanted.id and getattr(found, "tz", 0) == getattr(wanted, "tz", 0))
    return family_of(found) is family_of(wanted)
