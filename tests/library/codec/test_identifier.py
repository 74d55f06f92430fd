"""Keys: which columns are, and that they keep their form, their type and never repeat."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.errors import SchemaError
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

RNG = np.random.default_rng(0)


def schema_of(table):
    return Schema.infer(table.schema, TableSketch.of(table))


def drawn(values, name, rows, first=0):
    table = pa.table({name: values, "y": np.arange(len(values)) % 3})
    codec = Codec.fit(schema_of(table), TableSketch.of(table))
    assert codec.schema[name].kind == "identifier"
    nothing = Encoded(np.zeros((rows, 1), np.int16), np.zeros((rows, 1), np.float32))
    numbers = first + np.arange(rows)
    return codec.decode(nothing, np.random.default_rng(1).random((rows, 2)), numbers)[name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year", np.arange(1950, 2025)),
        ("rank", np.arange(2, 102)),
        ("percentile", np.arange(5, 100)),
        ("slot", np.arange(-50, 50).astype(np.int8)),
        ("level", np.arange(100).astype(np.uint8)),
        ("height", RNG.permutation(np.arange(1400, 2000))),
        ("sensor_id", np.arange(100).astype(np.int16)),
        ("score", np.arange(0, 1000, 7)),
        ("rank", np.arange(1, 301)),
        ("floor_level", np.arange(200)),
    ],
)
def test_years_ranks_and_levels_are_numbers(name, values):
    assert schema_of(pa.table({name: values}))[name].kind == "integer"


@pytest.mark.parametrize("name", ["customer_id", "CUSTOMER_ID", "orderNo", "Beleg-Nr.", "id_kunde"])
@pytest.mark.parametrize(
    ("kind", "low"),
    [
        (pa.int32(), 48_213),
        (pa.int64(), 100_000),
        (pa.uint64(), 7),
        (pa.decimal128(38, 0), 100_000),
        (pa.decimal64(12, 0), 5_000),
        (pa.float64(), 1_000),
    ],
    ids=str,
)
def test_keys_keep_type_digits_and_never_repeat(name, kind, low):
    numbers = RNG.permutation(np.arange(low, low + 300))
    values = pa.array([Decimal(int(n)) if pa.types.is_decimal(kind) else n for n in numbers], kind)
    made = drawn(values, name, 2_000)
    assert made.type.equals(kind)
    assert len(set(made.to_pylist())) == 2_000
    start = int(made[0].as_py())
    assert start <= low
    assert len(str(start)) == len(str(low))
    assert start == {48_213: 40_000}.get(low, low), "no exact extreme"


@pytest.mark.parametrize("start", [0, 1])
def test_what_counts_rows_counts_on(start):
    made = drawn(pa.array(np.arange(start, start + 200)), "row", 50, first=1_000)
    assert made.to_pylist() == list(range(1_000 + start, 1_050 + start))


WIDE = [pa.int32(), pa.uint32(), pa.int64(), pa.decimal128(38, 0)]
NARROW = [pa.int8(), pa.uint16(), pa.float32(), pa.decimal128(12, 2)]


@pytest.mark.parametrize("kind", WIDE, ids=str)
def test_no_key_lies_past_its_type(kind):
    values = pa.array([Decimal(n) if pa.types.is_decimal(kind) else n for n in range(100)], kind)
    made = drawn(values, "id", 10, first=2**62)
    assert all(0 <= int(value) < 2**63 for value in made.to_pylist())
    assert len(set(made.to_pylist())) == 10


@pytest.mark.parametrize("kind", NARROW, ids=str)
def test_a_type_too_small_for_keys_is_refused(kind):
    table = pa.table({"x": pa.array(range(60), pa.int8()).cast(kind)})
    message = "column 'x': expected a kind that holds .*; found 'identifier'; change the kind"
    with pytest.raises(SchemaError, match=message):
        schema_of(table).override({"columns": {"x": {"kind": "identifier"}}})
