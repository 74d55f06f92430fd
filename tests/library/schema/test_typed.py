"""Types that a user sets are those that are learned and come back."""

import pandas as pd
import pyarrow as pa
import pytest

from gtcoder.errors import SchemaError
from gtcoder.schema.kind import Kind
from gtcoder.schema.schema import Schema
from gtcoder.schema.typed import cast, retyped, wanted_types
from gtcoder.synthesizer import Synthesizer

TABLE = pa.table({"zip": [10115, 10117, 80331] * 30, "age": list(range(90))})


def test_a_number_becomes_text():
    wanted = wanted_types({"columns": {"zip": {"type": "string"}}}, TABLE.schema)
    assert wanted == {"zip": pa.string()}
    assert retyped(TABLE.schema, wanted).field("zip").type == pa.string()
    assert cast(TABLE, {"columns": {"zip": {"type": "string"}}})["zip"][0].as_py() == "10115"


def test_what_is_the_same_changes_nothing():
    assert wanted_types(Schema.of(TABLE).editable(), TABLE.schema) == {}
    assert cast(TABLE, {}).equals(TABLE)


@pytest.mark.parametrize(
    ("word", "said"), [("strnig", "expected a type such as"), ("bool[x]", "found 'bool")]
)
def test_no_such_type(word, said):
    with pytest.raises(SchemaError, match=said):
        wanted_types({"columns": {"zip": {"type": word}}}, TABLE.schema)


def test_values_that_do_not_go_into_it():
    words = pa.table({"a": ["x", "1"]})
    with pytest.raises(SchemaError, match="'a' does not convert to int64"):
        cast(words, {"columns": {"a": {"type": "int64"}}})


def test_a_file_to_edit_can_be_given_back_with_another_type():
    plain = Schema.of(TABLE).editable()
    plain["columns"]["zip"]["type"] = "string"
    fitted = Synthesizer(schema=plain, epochs=1).fit(TABLE)
    assert fitted.schema["zip"].kind is Kind.CATEGORICAL
    drawn = fitted.sample(20, seed=1)
    assert set(drawn["zip"]) <= {"10115", "10117", "80331"}
    assert pd.api.types.is_integer_dtype(drawn["age"])
