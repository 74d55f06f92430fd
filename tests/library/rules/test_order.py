"""Orders are kept whether a gap is learned or a column is raised, on every grid."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.rules.found import rules_of
from gtcoder.rules.rule import is_raised
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

ROWS = 2_000


def columns(kind, rng):
    low = rng.normal(50, 10, ROWS)
    far = low + rng.exponential(60, ROWS)
    match kind:
        case "real":
            return low, far
        case "cents":
            return low.round(2), far.round(2)
        case "whole below a real":
            return low, np.ceil(far).astype(int)
        case "real below whole":
            return np.floor(low).astype(int), far
        case "days":
            start = pd.Timestamp("2024-01-01")
            return (
                (start + pd.to_timedelta(np.floor(low), unit="D")).to_series().dt.date.array,
                (start + pd.to_timedelta(np.ceil(far), unit="D")).to_series().dt.date.array,
            )
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind", ["real", "cents", "whole below a real", "real below whole", "days"]
)
def test_a_column_is_raised_on_its_own_grid(kind):
    rng = np.random.default_rng(0)
    low, high = columns(kind, rng)
    table = pa.Table.from_pandas(pd.DataFrame({"low": low, "high": high}), preserve_index=False)
    sketch = TableSketch.of(table)
    schema = Schema.infer(table.schema, sketch)
    found = rules_of(table, schema, sketch, min_rows=5)
    (rule,) = found.rules.all
    assert str(rule).startswith("low <")
    assert is_raised(rule)
    codec = Codec.fit(schema, sketch, None, found)
    encoded = codec.encode(table)
    order = rng.permutation(ROWS)
    mixed = Encoded(
        np.stack([encoded.codes[:, 0], encoded.codes[order, 1]], 1),
        np.stack([encoded.scalars[:, 0], encoded.scalars[order, 1]], 1),
    )
    drawn = codec.decode(mixed, rng.random((ROWS, 2)), np.arange(ROWS))
    arrays = {name: drawn[name].combine_chunks() for name in drawn.column_names}
    assert not (rule.agrees(arrays) == 0).any()
    back = codec.decode(encoded, rng.random((ROWS, 2)), np.arange(ROWS))
    plain = Codec.fit(schema, sketch).decode(encoded, rng.random((ROWS, 2)), np.arange(ROWS))
    same = np.array(back["high"].to_pylist()) == np.array(plain["high"].to_pylist())
    assert same.mean() > 0.98  # nothing is raised that need not be


@pytest.mark.parametrize("spread", [2, 60])
def test_a_column_that_is_missing_exactly_where_another_says_so_is_kept_above(spread):
    """By a learned gap or raised, also in rows whose value has to be made: those say another."""
    rng = np.random.default_rng(0)
    state = rng.choice(["done", "open"], ROWS, p=[0.8, 0.2])
    low = rng.normal(50, 10, ROWS)
    high = np.where(state == "done", low + rng.exponential(spread, ROWS), np.nan)
    frame = pd.DataFrame({"state": state, "low": low, "high": high})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sketch = TableSketch.of(table)
    schema = Schema.infer(table.schema, sketch)
    found = rules_of(table, schema, sketch, min_rows=5)
    written = list(map(str, found.rules.all))
    assert "missing: high exactly where state is 'open'" in written
    (order,) = (rule for rule in found.rules.all if str(rule).startswith("low <"))
    assert is_raised(order) == (spread == 60)
    codec = Codec.fit(schema, sketch, None, found)
    encoded = codec.encode(table)
    orders = [rng.permutation(ROWS) for _ in range(encoded.codes.shape[1])]
    mixed = Encoded(
        np.stack([encoded.codes[order, k] for k, order in enumerate(orders)], 1),
        np.stack([encoded.scalars[order, k] for k, order in enumerate(orders)], 1),
    )
    drawn = codec.decode(mixed, rng.random((ROWS, 2)), np.arange(ROWS))
    arrays = {name: drawn[name].combine_chunks() for name in drawn.column_names}
    for rule in found.rules.all:
        assert not (rule.agrees(arrays) == 0).any(), rule
