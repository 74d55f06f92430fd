"""Numbers at their limits: infinities, nothing but NaN, decimals of many digits."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.ticks import to_ticks
from gtcoder.where.constraint import constraints

RNG = np.random.default_rng(0)


def fit(table):
    sketch = TableSketch.of(table)
    schema = Schema.infer(table.schema, sketch)
    codec = Codec.fit(schema, sketch)
    return Codec.from_dict(json.loads(json.dumps(codec.to_dict(), allow_nan=False)), codec.schema)


def there_and_back(table):
    codec = fit(table)
    rows = len(table)
    return codec.decode(codec.encode(table), RNG.random((rows, 2)), np.arange(rows))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()], ids=str)
@pytest.mark.parametrize("ends", [(np.inf,), (-np.inf,), (np.inf, -np.inf)], ids=str)
@pytest.mark.parametrize("missing", [False, True])
def test_infinities_come_back_and_leave_the_grid_as_it_is(kind, ends, missing):
    values = RNG.integers(0, 5_000, 3_000) / 4
    for place, end in enumerate(ends):
        values[place * 30 : place * 30 + 30] = end
    values[100:120] = np.nan if missing else 1.25
    column = pa.array(values.astype(kind.to_pandas_dtype()), kind, from_pandas=False)
    back = there_and_back(pa.table({"x": column}))["x"].to_numpy()
    np.testing.assert_array_equal(np.isinf(back), np.isinf(values))
    np.testing.assert_array_equal(back[np.isinf(back)], values[np.isinf(values)])
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    finite = np.isfinite(back)
    assert (back[finite] * 4 == np.rint(back[finite] * 4)).all(), "quarters stay quarters"


def test_few_infinities_are_not_written_and_come_back_as_numbers():
    values = np.append(RNG.normal(size=500), [np.inf] * 4)
    back = there_and_back(pa.table({"x": values}))["x"].to_numpy()
    assert np.isfinite(back).all()


@pytest.mark.parametrize(
    ("where", "met"),
    [("x>=10", {np.inf}), ("x<=-10", {-np.inf}), ("x=inf", {np.inf}), ("x>-inf", {1.0, np.inf})],
)
def test_conditions_know_infinities(where, met):
    values = np.repeat([1.0, np.inf, -np.inf], [40, 10, 20])
    codec = fit(pa.table({"x": values}))
    ((_, constraint),) = constraints(codec, [where]).fields.items()
    codes = np.flatnonzero(constraint.weights).astype(np.int16)[:, None]
    drawn = codec.decode(
        Encoded(codes, np.zeros(codes.shape, np.float32)), RNG.random((len(codes), 2)), codes[:, 0]
    )
    assert set(drawn["x"].to_pylist()) == met


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()], ids=str)
@pytest.mark.parametrize("nullable", [True, False])
def test_nothing_but_nan_stays_nan(kind, nullable):
    column = pa.array(np.full(300, np.nan, kind.to_pandas_dtype()), kind, from_pandas=False)
    table = pa.table([column, RNG.normal(size=300)], pa.schema(
        [pa.field("c", kind, nullable), pa.field("x", pa.float64())]))  # fmt: skip
    back = there_and_back(table)["c"]
    assert back.null_count == 0
    assert np.isnan(back.to_numpy()).all()


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.decimal128(p, s) for p, s in ((19, 4), (20, 2), (28, 10), (38, 10), (38, 18))),
        *(pa.decimal256(p, s) for p, s in ((40, 4), (76, 30))),
    ],
    ids=str,
)
@pytest.mark.parametrize("step", [Decimal("0.01"), Decimal("0.25"), Decimal(5)], ids=str)
def test_wide_decimals_stay_on_their_grid(kind, step):
    values = [int(k) * step for k in RNG.integers(-(10**5), 10**5, 1_500)]
    back = there_and_back(pa.table({"x": pa.array(values, kind), "y": np.arange(1_500) % 3}))["x"]
    assert back.type.equals(kind)
    assert all(value % step == 0 for value in back.to_pylist())


def test_the_nearest_double_of_a_wide_decimal():
    texts = ["77073.45", "-0.07", "123456789012345678901234.56", "0.1", "9007199254740993.5", "0"]
    column = pa.array([Decimal(text) for text in texts] + [None], pa.decimal128(38, 10))
    np.testing.assert_array_equal(to_ticks(column)[:-1], [float(text) for text in texts])
