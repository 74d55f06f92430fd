"""Rules are found where there are some, none where there are none, and are kept in every row."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.errors import SchemaError
from gtcoder.rules.found import found_rules, rules_of
from gtcoder.rules.learned import FoundRules
from gtcoder.rules.rules import Rules
from gtcoder.rules.settle import settled
from gtcoder.rules.tally import all_merged, tallied
from gtcoder.rules.together import Together
from gtcoder.rules.written import read_rule
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

EXPECTED = {
    "together: city, zip",
    "one of: is_red, is_green, is_blue, is_grey",
    "copy = price",
    "sched = 100 * hour + minute",
    'weekday = weekday(at, "Europe/Paris")',
    'at_hour = hour(at, "Europe/Paris")',
    "fahrenheit = 1.8 * celsius + 32",
    "dep = clock(sched + delay)",
    "check_out = check_in + days(nights)",
    "total = price * quantity",
    "gross = net + tax + shipping",
    "adult = bins(age, [65], ['middle', 'old'])",
    "missing: spouse_age exactly where wed is 'no'",
    "missing: spouse_job exactly where spouse_age",
    "low < high",
}
FOLLOW = {"hour = sched // 100", "minute = sched % 100", "price <= total", "check_in < check_out"}


def found_in(table: pa.Table, **schema: list[str]) -> tuple[FoundRules, Schema, TableSketch]:
    sketch = TableSketch.of(table)
    inferred = Schema.infer(table.schema, sketch)
    if schema:
        inferred = inferred.override(schema)
    return rules_of(table, inferred, sketch, min_rows=5), inferred, sketch


def shuffled(codec: Codec, table: pa.Table, seed: int) -> pa.Table:
    """Rows whose learned columns come each from another row."""
    encoded, rng = codec.encode(table), np.random.default_rng(seed)
    orders = [rng.permutation(len(encoded)) for _ in codec.layout.fields]
    codes = np.stack([encoded.codes[order, k] for k, order in enumerate(orders)], 1)
    scalars = np.stack([encoded.scalars[order, k] for k, order in enumerate(orders)], 1)
    uniform = rng.random((len(encoded), 2))
    return codec.decode(Encoded(codes, scalars), uniform, np.arange(len(encoded)))


def broken(rules: Rules, table: pa.Table) -> dict[str, int]:
    arrays = {name: table[name].combine_chunks() for name in table.column_names}
    types = {name: array.type for name, array in arrays.items()}
    found = {}
    for rule in rules.all:
        if isinstance(rule, Together):
            found[str(rule)] = int((~rule.says(arrays, types)).sum())
        else:
            found[str(rule)] = int((rule.agrees(arrays) == 0).sum())
    return found


@pytest.mark.parametrize("rows", [300, 4_000])
def test_each_kind_is_found_and_kept_in_rows_that_never_were(with_rules, rows):
    table = with_rules(rows)
    found, schema, sketch = found_in(table)
    assert set(map(str, found.rules.kept)) == EXPECTED
    assert set(map(str, found.rules.implied)) == FOLLOW
    assert found.lost == ()
    codec = Codec.fit(schema, sketch, None, found)
    assert len(codec.layout.fields) < table.num_columns - 8
    drawn = shuffled(codec, table, 1)
    assert drawn.schema.equals(table.schema)
    assert not any(broken(found.rules, drawn).values())


def test_what_is_encoded_comes_back(with_rules):
    table = with_rules(2_000)
    found, schema, sketch = found_in(table)
    plain = json.loads(json.dumps(found.rules.to_dict()))
    first = Codec.fit(schema, sketch, None, found)
    codec = Codec.from_dict(first.to_dict(), schema, Rules.from_dict(plain, schema.arrow))
    rng = np.random.default_rng(0)
    back = codec.decode(codec.encode(table), rng.random((2_000, 2)), np.arange(2_000))
    for name in ("zip", "city", "sched", "wed", "is_red", "spouse_job", "adult"):
        assert back[name].equals(table[name]), name


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_where_there_is_nothing(without_rules, seed):
    found, _, _ = found_in(without_rules(1_000, 40, seed))
    assert found.rules.all == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_in_200_columns_either(without_rules, seed):
    found, _, _ = found_in(without_rules(3_000, 200, seed))
    assert found.rules.all == ()


def test_a_few_rows_tell_little(with_rules):
    found, _, _ = found_in(with_rules(20))
    assert found.rules.all == ()


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(6)), st.integers(1, 399))
def test_law_parts_in_any_order_give_the_same_rules(with_rules, order, cut):
    table = with_rules(400, 3)
    ends = np.linspace(0, 400, 7).astype(int)
    parts = [table.slice(ends[k], ends[k + 1] - ends[k]) for k in order]
    first = parts.pop(0)
    parts += [first.slice(0, cut % len(first)), first.slice(cut % len(first))]
    sketch = TableSketch.joined([TableSketch.of(part) for part in parts])
    schema = Schema.infer(table.schema, sketch)
    found = found_rules(
        schema,
        sketch,
        lambda rules: all_merged([tallied(rules, part) for part in parts]),
        min_rows=5,
    )
    whole, _, _ = found_in(table)
    kept, expected = found.rules.to_dict(), whole.rules.to_dict()
    for part in ("kept", "implied"):
        for one, other in zip(kept[part], expected[part], strict=True):
            assert one == other


def test_no_combination_of_few_rows_is_written_down():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.integers(0, 30, 3_000), np.repeat(np.arange(100, 110), 2)])
    table = pa.table({"code": [f"k{c}" for c in codes], "name": [f"n{c // 3}" for c in codes]})
    found, schema, sketch = found_in(table)
    assert [str(rule) for rule in found.rules.kept] == ["together: name, code"]
    codec = Codec.fit(schema, sketch, None, found)
    written = json.dumps([found.rules.to_dict(), codec.to_dict(), schema.to_dict()])
    assert '"k29"' in written
    assert not any(f'"k{code}"' in written for code in range(100, 110))
    drawn = shuffled(codec, table, 0).to_pandas()
    assert (drawn["name"] == "n" + (drawn["code"].str[1:].astype(int) // 3).astype(str)).all()


def test_no_value_of_few_rows_is_written_down_where_something_is_missing():
    rng = np.random.default_rng(0)
    wed = np.array(["yes"] * 900 + ["no"] * 600 + ["secret"] * 3)
    age = pa.array(rng.normal(40, 9, len(wed)).round(), mask=wed != "yes")
    found, _, _ = found_in(pa.table({"wed": wed, "age": age}))
    assert "secret" not in json.dumps(found.rules.to_dict())
    kept, _, _ = found_in(pa.table({"wed": wed, "age": age}).slice(0, 1_500))
    assert [str(rule) for rule in kept.rules.all] == ["missing: age exactly where wed is 'no'"]


def test_dependencies_that_hold_but_for_a_few_rows_are_kept_as_they_are():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 40, 8_000)
    name = np.where((code == 7) & (rng.random(8_000) < 0.3), 99, code // 4)
    found, schema, sketch = found_in(pa.table({"code": code, "name": name}))
    assert [str(rule) for rule in found.rules.kept] == ["together: name, code"]
    codec = Codec.fit(schema, sketch, None, found)
    drawn = shuffled(codec, pa.table({"code": code, "name": name}), 0).to_pandas()
    pairs = set(zip(drawn["code"], drawn["name"], strict=True))
    assert pairs == set(zip(code.tolist(), name.tolist(), strict=True))


def test_rules_are_added_and_taken_away_by_the_schema(with_rules):
    table = with_rules(500)
    found, _, _ = found_in(table, rules=["check_in <= check_out", "together: city, zip"])
    assert [str(rule) for rule in found.rules.kept] == [
        "together: city, zip",
        "check_in <= check_out",
    ]
    none, _, _ = found_in(table, rules=[])
    assert none.rules.all == ()


def test_a_rule_that_rows_break_is_refused_by_counts_alone(with_rules):
    table = with_rules(500)
    with pytest.raises(SchemaError, match=r"'tax <= price'.* [\d,]+ rows keep it, [\d,]+ break it"):
        found_in(table, rules=["tax <= price"])
    with pytest.raises(SchemaError, match=r"no column 'prise'.*did you mean 'price'"):
        found_in(table, rules=["total = prise * quantity"])


def test_what_is_shown_can_be_given_back(with_rules):
    table = with_rules(600)
    schema = Schema.of(table)
    assert set(schema.rules or ()) == EXPECTED | FOLLOW
    found, _, _ = found_in(table, rules=json.loads(json.dumps(schema.editable()))["rules"])
    assert set(map(str, found.rules.all)) == EXPECTED | FOLLOW
    assert "rule: total = price * quantity" in str(schema)
    assert "<li>low &lt; high</li>" in schema._repr_html_()


@pytest.mark.parametrize("weak", ["low <= high", "low, lower < high"])
def test_of_two_written_rules_the_one_that_says_more_covers_the_other(weak):
    rng = np.random.default_rng(0)
    low = rng.integers(0, 90, 800)
    table = pa.table({"low": low, "lower": low - 1, "high": low + rng.integers(1, 9, 800)})
    for written in (["low < high", weak], [weak, "low < high"]):
        found, _, _ = found_in(table, rules=written)
        strongest = "low < high" if weak == "low <= high" else weak
        assert strongest in map(str, found.rules.all)
        assert not found.lost


def test_a_written_value_that_few_rows_have_is_said_to_be_rare():
    kind = np.array(["a", "b"] * 400, object)
    kind[:3] = "rare"
    table = pa.table({"kind": kind, "size": pa.array(np.arange(800) % 7, mask=kind == "rare")})
    with pytest.raises(SchemaError, match=r"names a value that too few rows have .*leave it out"):
        found_in(table, rules=["missing: size where kind is 'rare'"])


def test_columns_together_of_which_one_comes_by_a_formula_are_told():
    rng = np.random.default_rng(0)
    net, tax = rng.integers(0, 40, 4_000), rng.integers(0, 40, 4_000)
    gross = net + tax
    table = pa.table({"net": net, "tax": tax, "gross": gross, "code": (gross * 37) % 11})
    _, schema, sketch = found_in(table)
    held = [
        *read_rule("gross = net + tax", dict.fromkeys(table.column_names)),
        Together(("code", "gross")),
    ]
    kept, lost = settled(held, tallied(held, table), schema, sketch, min_rows=5, tolerance=0.0)
    assert [str(rule) for rule in kept.all] == ["gross = net + tax"]
    assert [str(rule) for rule in lost] == ["together: code, gross"]
