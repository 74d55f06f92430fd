"""Kinds: inferred, overridden, excluded, written; and what the errors say."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.errors import SchemaError
from gtcoder.schema.kind import Kind
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

ROWS = 400
RNG = np.random.default_rng(0)
WORDS = [" ".join(RNG.choice(["lorem", "ipsum", "dolor", "sit"], 9)) for _ in range(ROWS)]


def infer(table, exclude=()):
    return Schema.infer(table.schema, TableSketch.of(table), exclude)


def numbers(kind, high=100):
    return pa.array(RNG.integers(0, high, ROWS)).cast(kind)


KINDS = {
    "boolean": pa.array(RNG.random(ROWS) < 0.5),
    "integer": numbers(pa.int32()),
    "integer of two values": numbers(pa.int8(), 2),
    "integer, unsigned": numbers(pa.uint64()),
    "decimal": numbers(pa.decimal128(38, 2)),
    "real": pa.array(RNG.standard_normal(ROWS)),
    "real of whole numbers": numbers(pa.float64()),
    "categorical": numbers(pa.string(), 9),
    "categorical of large strings": numbers(pa.large_string(), 9),
    "categorical dictionary": numbers(pa.string(), 9).dictionary_encode(),
    "date": numbers(pa.int32()).cast(pa.date32()),
    "timestamp": numbers(pa.timestamp("ns", "UTC")),
    "time": numbers(pa.time64("us")),
    "duration": numbers(pa.duration("s")),
    "constant": pa.array(["same"] * ROWS),
    "constant null": pa.nulls(ROWS),
    "constant, all null": pa.nulls(ROWS, pa.int64()),
    "identifier": pa.array(RNG.permutation(ROWS)),
    "integer that never repeats": pa.array(RNG.permutation(ROWS) + 10_000),
    "pattern": pa.array([f"K-{v:05d}" for v in RNG.integers(0, ROWS, ROWS)]),
    "identifier of text": pa.array([f"AB-{k:06d}" for k in RNG.permutation(ROWS)]),
    "text": pa.array([f"{word} {k}" for k, word in enumerate(WORDS)]),
    "text, mostly distinct": pa.array([f"{WORDS[k]} {k // 2 * (k % 3)}" for k in range(ROWS)]),
    "text, binary": pa.array([b"x"] * ROWS),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_inferred(name):
    schema = infer(pa.table({"x": KINDS[name]}))
    assert schema["x"].kind == re.split(r"[ ,]", name)[0]


def test_many_categories_are_high_cardinality():
    words = pa.array(RNG.integers(0, 5000, 20_000)).cast(pa.string())
    assert infer(pa.table({"x": words}))["x"].kind is Kind.HIGH_CARDINALITY


@pytest.mark.parametrize("name", ["user_id", "id", "customerId", "order key", "UUID"])
def test_wide_unique_integers_are_identifiers_if_named_so(name):
    wide = RNG.integers(0, 10**15, ROWS)
    schema = infer(pa.table({name: wide, "income": wide, "paid": wide}))
    assert schema[name].kind is Kind.IDENTIFIER
    assert schema["income"].kind is Kind.INTEGER
    assert schema["paid"].kind is Kind.INTEGER


def test_repeating_or_few_integers_are_no_identifiers():
    twice = pa.table({"id": np.arange(ROWS) // 2})
    few = pa.table({"id": np.arange(20)})
    holes = pa.table({"id": pa.array([None, *range(ROWS)])})
    assert {infer(table)["id"].kind for table in (twice, few, holes)} == {Kind.INTEGER}


def test_warnings_name_what_is_not_learned():
    table = pa.table({"id": np.arange(ROWS), "x": KINDS["integer"], "b": KINDS["text, binary"]})
    assert infer(table).warnings == [
        "column 'id': every value is its own: regenerated, not learned",
        "column 'b': binary is not learned: left out, empty in the output",
    ]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()),
     pa.month_day_nano_interval(), pa.dictionary(pa.int8(), pa.binary())],
    ids=str,
)  # fmt: skip
def test_nested_types_are_named_and_can_be_excluded(kind):
    table = pa.table({"tags": pa.nulls(3, kind), "x": [1, 2, 3]})
    message = f"column 'tags': expected numbers, text, .*; found {re.escape(str(kind))}; leave it "
    with pytest.raises(SchemaError, match=message + r"out with `exclude=\['tags'\]`"):
        infer(table)
    assert infer(table, exclude=["tags"]).names == ["x"]


def test_excluding_an_unknown_column_names_the_nearest():
    table = pa.table({"age": [1], "size": [2]})
    message = r"column 'agee': expected one of age, size; found no such .*; did you mean 'age'\?"
    with pytest.raises(SchemaError, match=message):
        infer(table, exclude=["agee"])
    with pytest.raises(SchemaError, match=message):
        infer(table).exclude(["agee"])
    assert infer(table).exclude(["age"]).arrow == pa.schema([("size", pa.int64())])


def test_override_sets_kinds():
    schema = infer(pa.table({"a": KINDS["integer"], "b": KINDS["identifier"], "c": WORDS}))
    changed = schema.override({"columns": {"a": {"kind": "categorical"}, "b": {"kind": "integer"}}})
    assert [column.kind for column in changed.columns[:2]] == [Kind.CATEGORICAL, Kind.INTEGER]
    assert changed.columns[2] == schema.columns[2]
    assert "column 'b'" not in " ".join(changed.warnings)


def test_a_schema_overrides_itself():
    schema = infer(pa.table(KINDS))
    assert schema.override(schema.to_dict()) == schema


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"columns": {"ag": {"kind": "real"}}}, "column 'ag': expected one of age, word; .* 'age'"),
        (
            {"columns": {"age": {"kind": "intger"}}},
            "column 'age': expected a kind out of boolean, .*; found 'intger'; .* 'integer'",
        ),
        (
            {"columns": {"word": {"kind": "integer"}}},
            r"column 'word': expected a kind that holds string \(categorical, .*\); found 'int",
        ),
        ({"columns": {"age": "real"}}, r"column 'age': expected {\"kind\": KIND}, found 'real'"),
        (
            {"age": {"kind": "real"}},
            "expected .*columns.*, found the keys 'age'; write the columns",
        ),
        ({"columns": {"age": {}}}, r"column 'age': expected {\"kind\": KIND}, found {}"),
        ({}, "found the keys none"),
    ],
)
def test_bad_overrides_are_named(plain, message):
    schema = infer(pa.table({"age": KINDS["integer"], "word": KINDS["categorical"]}))
    with pytest.raises(SchemaError, match=message):
        schema.override(plain)


def test_schemas_are_written_with_everything_arrow_knows():
    fields = [
        pa.field(f"column {at}", array.type, nullable=at % 2 > 0 or array.null_count > 0,
                 metadata={"unit": "m", "größe": "ß"})
        for at, array in enumerate(KINDS.values())
    ]  # fmt: skip
    arrow = pa.schema(fields, metadata={"source": "x"})
    table = pa.Table.from_arrays(list(KINDS.values()), schema=arrow)
    schema = infer(table)
    back = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert back == schema
    assert back.arrow.equals(arrow, check_metadata=True)


def test_an_unknown_column_is_asked_for():
    with pytest.raises(SchemaError, match="did you mean 'age'"):
        infer(pa.table({"age": [1]}))["Age"]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([f"+49 17{k % 10} {k * 7919 % 10**7:07d}" for k in range(ROWS)], Kind.IDENTIFIER),
        ([f"Aa{chr(97 + k % 26)} B{chr(97 + k // 26)}o{k}" for k in range(ROWS)], Kind.IDENTIFIER),
        ([f"2024-01-01 10:{k // 60:02d}:{k % 60:02d}" for k in range(ROWS)], Kind.IDENTIFIER),
        ([f"Anna{k // 3} Maria Berg{k % 7}" for k in range(ROWS)], Kind.IDENTIFIER),
        ([f"{k // 2:08x}-1111-4222-8333-{k // 2:012x}" for k in range(ROWS)], Kind.PATTERN),
        ([f"the part {k} that was sent back is broken" for k in range(ROWS)], Kind.TEXT),
        (["lorem" * 20 + str(k) for k in range(ROWS)], Kind.TEXT),
        ([("lorem ipsum " * 20) + str(k // 2) for k in range(ROWS)], Kind.TEXT),
    ],
)
def test_spaces_alone_make_no_prose(texts, kind):
    assert infer(pa.table({"x": texts}))["x"].kind is kind
