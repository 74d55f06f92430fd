"""Columns that others nearly give are found, come back as near as they were, and on their grid."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gtcoder import Synthesizer
from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.errors import ConditionError, SchemaError
from gtcoder.rules.found import lines, rules_of
from gtcoder.rules.gap import Near
from gtcoder.rules.rule import is_near
from gtcoder.rules.rules import Rules
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch


def stones(rows: int, seed: int = 0) -> pd.DataFrame:
    """Lengths with two decimals, a depth in percent that they nearly give, and a noisy weight."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(1.7, 0.25, rows)
    y = x * rng.normal(1, 0.08, rows)
    z = rng.uniform(0.55, 0.68, rows) * (x + y) / 2
    return pd.DataFrame(
        {
            "x": x.round(2),
            "y": y.round(2),
            "depth": (200 * z / (x + y)).round(1),
            "colour": rng.choice(["white", "blue"], rows),
            "z": z.round(2),
            "count": rng.poisson(40, rows),
        }
    )


def found_in(table: pd.DataFrame, rules: list[str] | None = None):
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    sketch = TableSketch.of(arrow)
    schema = Schema.infer(arrow.schema, sketch)
    if rules is not None:
        schema = schema.override({"rules": rules})
    return rules_of(arrow, schema, sketch), schema, sketch, arrow


def nearly(rules: Rules) -> dict[str, Near]:
    return {
        r.target: r.formula for r in rules.kept if isinstance(getattr(r, "formula", None), Near)
    }


def test_a_product_of_powers_is_found_and_comes_back_as_near_as_it_was():
    found, schema, sketch, table = found_in(stones(4_000))
    [(target, formula)] = nearly(found.rules).items()
    assert target == "z"
    assert set(formula.beside) == {"x", "y", "depth"}
    assert formula.within <= 0.02
    [line] = [line for line in lines(found) if "~" in line]
    assert line.endswith(f"(19 of 20 rows within {formula.within:.3g})")
    codec = Codec.fit(schema, sketch, None, found)
    encoded = codec.encode(table, jitter=False)
    rng = np.random.default_rng(1)
    kept = encoded.codes.copy()
    at = [field.name for field in codec.layout.fields].index("z residual")
    kept[:, at] = rng.permutation(kept[:, at])  # of the residual, which any row may have
    drawn = codec.decode(
        Encoded(kept, encoded.scalars), rng.random((4_000, 2)), np.arange(4_000)
    ).to_pandas()
    off = (drawn.z - drawn.depth * (drawn.x + drawn.y) / 200).abs()
    assert off.quantile(0.95) <= 0.05
    assert np.allclose(drawn.z * 100, (drawn.z * 100).round(), atol=1e-6)
    low, high = table["z"].to_numpy().min(), table["z"].to_numpy().max()
    assert drawn.z.between(low, high).all()
    told = codec.describe()["z"]
    assert low <= told["low"] < told["high"] <= high
    assert told["rule"].startswith("z ~ ")
    assert not told["missing"]


def test_what_is_encoded_comes_back_and_rules_go_through_json():
    found, schema, _, table = found_in(stones(2_000))
    plain = json.loads(json.dumps(found.rules.to_dict()))
    rules = Rules.from_dict(plain, schema.arrow)
    assert rules == found.rules
    learned = rules.learned(table)
    back = rules.whole(
        {name: learned[name].combine_chunks() for name in learned.column_names},
        schema.arrow,
        np.zeros(2_000),
        lambda name, where: pytest.fail("nothing is missing"),
    )
    low, high = nearly(rules)["z"].low, nearly(rules)["z"].high
    expected = np.clip(table["z"].to_numpy(), low, high)
    assert np.allclose(back["z"].to_numpy(), expected, atol=0.0051)
    inside = (table["z"].to_numpy() > low) & (table["z"].to_numpy() < high)
    assert (back["z"].to_numpy()[inside] == table["z"].to_numpy()[inside]).all()


def test_a_sum_of_whole_numbers_with_a_little_noise():
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(0, 2_000, 3_000) for _ in range(3))
    table = pd.DataFrame(
        {"a": a, "b": b, "c": c, "sum": a + 2 * b + c + rng.integers(-9, 10, 3_000)}
    )
    found, *_ = found_in(table)
    [(target, formula)] = nearly(found.rules).items()
    others = {"a", "b", "c", "sum"} - {target}
    assert set(formula.beside) == others
    learned = found.rules.learned(pa.Table.from_pandas(table))
    residual = learned[formula.gap]
    assert residual.type == pa.int64()
    assert np.abs(residual.to_numpy()).max() <= 20


@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_what_is_less_near_is_left_to_the_network(noise):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3_000))
    found, *_ = found_in(
        pd.DataFrame({"a": a, "b": b, "sum": a + b + noise * rng.normal(size=3_000)})
    )
    assert not nearly(found.rules)


def test_rows_far_off_and_missing_values_stay_what_they_are():
    table = stones(3_000)
    table.loc[:9, "z"] = 0.0
    table.loc[10:19, "x"] = 0.0
    table.loc[20:119, "y"] = np.nan
    table.loc[120:219, "z"] = np.nan
    found, schema, sketch, arrow = found_in(table)
    assert "z" in nearly(found.rules)
    codec = Codec.fit(schema, sketch, None, found)
    rng = np.random.default_rng(0)
    back = codec.decode(codec.encode(arrow, jitter=False), rng.random((3_000, 2)), np.arange(3_000))
    back = back.to_pandas()
    assert (back.z[:10] < 1.5).all()  # none was below 2
    assert back.y[20:120].isna().all()
    assert back.z[120:220].isna().all()
    assert back.z[20:120].notna().all()  # nothing says what it is near to
    assert (back.z.dropna() >= 0).all()


def test_a_line_can_be_written_and_taken_out():
    table = stones(2_000)
    found, *_ = found_in(table, ["z ~ 0.01 * depth * x ** 0.5 * y ** 0.5"])
    assert [str(rule) for rule in found.rules.all] == ["z ~ 0.01 * depth * x**0.5 * y**0.5"]
    again, *_ = found_in(table, [str(rule) for rule in found.rules.all])
    assert again.rules == found.rules
    assert not found_in(table, [])[0].rules.all
    summed, *_ = found_in(table, ["z ~ 0.3 * x + 0.3 * y"])
    assert str(summed.rules.kept[0]) == "z ~ 0.3 * x + 0.3 * y"
    ratio, *_ = found_in(table, ["x ~ 10000 * z**2 / depth**2 / y"])
    assert str(ratio.rules.kept[0]) == "x ~ 10000 * z**2 * depth**-2 * y**-1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("z ~ 3", "after ~"),
        ("z ~ ", "a formula after ~"),
        ("z ~ 3 * w", "no column 'w'"),
        ("z ~ x / 0", "other than 0"),
        ("z ~ 3 * colour", "'colour' is categorical"),
        ("z ~ 1000 * count", "varies about as much as 'z' itself"),
    ],
)
def test_a_line_that_says_nothing_is_refused(line, told):
    with pytest.raises(SchemaError, match=told):
        found_in(stones(1_000), [line])


def test_other_lines_may_hold_the_sign():
    table = pd.DataFrame({"x": np.arange(2_000) % 1_000, "c~d": np.arange(2_000) % 500})
    table["s"] = np.where(table.x < 500, "~low", "high")
    table["e"] = 2 * table["c~d"]
    lines = ["s = bins(x, [500], ['~low', 'high'])", "e = 2 * `c~d`"]
    assert [str(rule) for rule in found_in(table, lines)[0].rules.all] == lines


def test_decimals_stay_what_they_are():
    rng = np.random.default_rng(0)
    a, b = rng.integers(100, 9_000, (2, 3_000))
    c = a + b + rng.integers(-3, 4, 3_000)
    columns = {
        name: pa.array([Decimal(int(v)) / 100 for v in values], pa.decimal128(10, 2))
        for name, values in (("a", a), ("b", b), ("c", c))
    }
    table = pa.table(columns)
    sketch = TableSketch.of(table)
    schema = Schema.infer(table.schema, sketch)
    found = rules_of(table, schema, sketch)
    [(target, formula)] = nearly(found.rules).items()
    assert formula.step == pytest.approx(0.01)
    codec = Codec.fit(schema, sketch, None, found)
    back = codec.decode(codec.encode(table, jitter=False), np.zeros((3_000, 2)), np.arange(3_000))
    errors = [abs(x.as_py() - y.as_py()) for x, y in zip(back[target], table[target], strict=True)]
    assert np.median([float(error) for error in errors]) < 1


@pytest.mark.parametrize("factor", [6.022e23, 1e300])
def test_huge_numbers_do_not_matter(factor):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 5_000, 2_000)
    table = pd.DataFrame({"x": x, "y": factor * x * rng.normal(1, 0.02, 2_000)})
    found, schema, sketch, arrow = found_in(table)
    codec = Codec.fit(schema, sketch, None, found)
    back = codec.decode(codec.encode(arrow), np.zeros((2_000, 2)), np.arange(2_000))
    assert np.isfinite(back["y"].to_numpy()).all()


def test_what_floats_do_not_hold_is_left_alone():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10_000, 3_000)
    table = pd.DataFrame({"x": x, "z": 2 * x + rng.integers(-9, 10, 3_000)})
    assert nearly(found_in(table)[0].rules)
    table.loc[:20, "z"] = 2**62
    assert "z" not in nearly(found_in(table)[0].rules)


def test_the_residual_takes_no_name_that_is_taken():
    table = stones(2_000).assign(**{"z residual": np.arange(2_000) % 7})
    found, schema, sketch, arrow = found_in(table)
    assert nearly(found.rules)["z"].gap == "z residual_"
    codec = Codec.fit(schema, sketch, None, found)
    back = codec.decode(codec.encode(arrow), np.zeros((2_000, 2)), np.arange(2_000))
    assert back["z residual"].equals(arrow["z residual"])


def test_an_order_is_kept_beside():
    rng = np.random.default_rng(0)
    low = rng.integers(0, 5_000, 3_000)
    table = pd.DataFrame({"low": low, "st": rng.choice(["y", "n"], 3_000)})
    table["z"] = pd.array(low + rng.integers(0, 9, 3_000), "Int64")
    table.loc[table.st == "n", "z"] = pd.NA
    lines = ["z ~ low", "low <= z", "missing: z exactly where st is 'n'"]
    found, schema, sketch, arrow = found_in(table, lines)
    assert set(map(str, found.rules.all)) == set(lines)
    codec = Codec.fit(schema, sketch, None, found)
    encoded = codec.encode(arrow)
    at = [field.name for field in codec.layout.fields].index("z residual")
    codes = encoded.codes.copy()
    codes[:, at] = rng.permutation(codes[:, at])
    whole = codec.decode(
        Encoded(codes, encoded.scalars), rng.random((3_000, 2)), np.arange(3_000)
    ).to_pandas()
    there = whole.z.notna()
    assert (there == (whole.st == "y")).all()
    assert (whole.z[there] >= whole.low[there]).all()


def test_a_formula_with_exceptions_is_nearly_kept():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 3_000, (2, 40_000))
    table = pd.DataFrame({"a": a, "b": b, "sum": a + b})
    table.loc[table.index[-3:], "sum"] += 1_000
    found, *_ = found_in(table)
    [rule] = [rule for rule in found.rules.kept if is_near(rule)]
    assert rule.formula.within <= 0.5


def test_cells_are_filled_in_to_go_with_what_nearly_follows_from_them():
    table = stones(3_000)
    synthesizer = Synthesizer(seed=0, epochs=4).fit(table)
    some = stones(200, seed=1)
    some.loc[:99, "x"] = np.nan
    some.loc[100:, "z"] = np.nan
    done = synthesizer.complete(some, seed=0)
    assert not done.isna().any().any()
    assert (done.z[:100] == some.z[:100]).all()
    off = (done.z - done.depth * (done.x + done.y) / 200).abs()
    assert (off < 0.1).mean() > 0.9
    drawn = synthesizer.sample(500, where={"z": (3.0, 3.5)}, seed=0)
    assert drawn.z.between(3.0, 3.5).all()
    off = (drawn.z - drawn.depth * (drawn.x + drawn.y) / 200).abs()
    assert off.quantile(0.9) < 0.1
    with pytest.raises(ConditionError, match=r"'z': expected something seen in training \(1\."):
        synthesizer.sample(5, where={"z": (1_000, None)})
