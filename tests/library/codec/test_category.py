"""Categories of dictionaries and of text: words, order, and what is told of the rest."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Encoded
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

WORDS = {
    "text": (["north", "south", "east", "atlantis"], pa.string()),
    "large text": (["n", "s", "e", "a"], pa.large_string()),
    "numbers": ([10, 20, 30, 99], pa.int64()),
    "days": ([1, 2, 3, 9], pa.date32()),
    "reals": ([0.5, 1.5, 2.5, 9.5], pa.float64()),
}


def as_type(words, kind):
    plain = pa.array(words, pa.int32()) if pa.types.is_date(kind) else pa.array(words)
    return plain.cast(kind)


def fit(table, **options):
    sketch = TableSketch.of(table)
    return Codec.fit(Schema.infer(table.schema, sketch), sketch, CodecConfig(**options))


def decoded(codec, encoded, seed=0):
    rng = np.random.default_rng(seed)
    return codec.decode(encoded, rng.random((len(encoded), 2)), np.arange(len(encoded)))


def every_code(codec, rows=200):
    """Rows that have each code of the first field in turn."""
    codes = np.zeros((rows, len(codec.layout.fields)), np.int16)
    codes[:, 0] = np.arange(rows) % codec.layout.fields[0].cardinality
    return decoded(codec, Encoded(codes, np.zeros(codes.shape, np.float32)))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize(("common", "rare"), [(330, 1), (330, 4), (12, 3)])
def test_a_rare_word_of_a_dictionary_never_stands_as_null_among_its_words(
    kind, ordered, common, rare
):
    words, value_type = WORDS[kind]
    indices = np.repeat([2, 0, 1, 3], [common, common, common, rare])
    array = pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int8()), as_type(words, value_type), ordered=ordered
    )
    codec = fit(pa.table({"x": array, "y": np.arange(len(array)) % 7}))
    column = every_code(codec)["x"].combine_chunks()
    assert column.type.equals(array.type)
    assert column.null_count == column.dictionary.null_count == 0
    known = as_type(words[:3], value_type).to_pylist()
    told = column.dictionary.to_pylist()
    assert told == known or (told == [*known, "<other>"] and rare / len(array) >= 0.01)
    assert set(column.to_pylist()) == set(told)
    assert column.to_pandas().dtype.name == "category"


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("share", [0.02, 0.4])
def test_null_among_a_dictionarys_words_stays_null(kind, share):
    words, value_type = WORDS[kind]
    rng = np.random.default_rng(0)
    chosen = np.where(rng.random(900) < share, 1, rng.choice([0, 2], 900))
    values = as_type([words[0], None, words[1]], value_type)
    array = pa.DictionaryArray.from_arrays(pa.array(chosen, pa.int8()), values)
    table = pa.table({"x": array, "y": rng.integers(0, 3, 900)})
    back = decoded(codec := fit(table), codec.encode(table))["x"]
    assert back.to_pylist() == array.to_pylist()


@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical(["low", "high"] * 50, categories=["low", "mid", "high"], ordered=True),
        pd.Categorical([3, 1] * 50, categories=[3, 2, 1], ordered=True),
        pd.Categorical(["b", "a", "c"] * 50, categories=["c", "a", "b"]),
        pd.Categorical([2.5, 1.5, None] * 50, categories=[2.5, 1.5]),
    ],
    ids=["unused level of a scale", "numbers", "order", "missing"],
)
def test_levels_order_and_codes_of_pandas_come_back(values):
    table = pa.Table.from_pandas(pd.DataFrame({"x": values, "y": range(len(values))}))
    back = decoded(codec := fit(table), codec.encode(table)).to_pandas()["x"]
    assert list(back.cat.categories) == list(values.categories)
    assert back.cat.ordered == values.ordered
    np.testing.assert_array_equal(back.cat.codes, values.codes)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_level_of_few_rows_is_not_written_and_no_unused_one_of_no_scale(ordered):
    levels = ["common", "secret", "unused"]
    values = pd.Categorical(["common"] * 300 + ["secret"] * 4, levels, ordered=ordered)
    codec = fit(pa.Table.from_pandas(pd.DataFrame({"x": values, "y": range(304)})))
    written = str(codec.to_dict()) + str(codec.schema.to_dict())
    assert "secret" not in written
    assert ("unused" in written) == ordered


@pytest.mark.parametrize(
    ("lost", "note"),
    [
        (["fraud"] * 3, "3 rows (0.1%) of categories that fewer than 5 share or beyond the 2 "
         "commonest: come back as one of the others"),
        (["fraud"], "1 row (0.0%) of categories that fewer than 5 share or beyond"),
        ([f"w{k}" for k in range(60)], "60 rows (1.2%) of categories that fewer than 5 share"),
    ],
)  # fmt: skip
def test_a_lost_class_is_told(lost, note):
    values = ["no"] * 4_000 + ["yes"] * 1_000 + lost
    schema = fit(pa.table({"x": values, "y": ["a", "b"] * 2_500 + ["a"] * len(lost)})).schema
    assert note in schema["x"].note
    assert schema["y"].note == ""
    assert schema.warnings == [f"column 'x': {schema['x'].note}"]


def test_what_cannot_be_told_at_all_is_not_null_without_a_word():
    codec = fit(pa.table({"x": ["a", "b", "c", "a", "b"], "y": [True, False] * 2 + [True]}))
    assert every_code_or_none(codec)["x"].to_pylist() == ["<other>"] * 5
    assert "come back as <other>" in codec.schema["x"].note
    assert codec.schema["y"].note == "nothing that 5 rows share: comes back as missing"


def every_code_or_none(codec):
    width = len(codec.layout.fields)
    return decoded(codec, Encoded(np.zeros((5, width), np.int16), np.zeros((5, width), np.float32)))
