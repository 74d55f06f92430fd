"""Sketches: exact while small, bounded when large, and the same in whatever order they merge."""

import pickle
from functools import reduce
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtcoder.codec.codec import Codec
from gtcoder.errors import TableError
from gtcoder.schema.schema import Schema
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.counts import CAPACITY, Counts
from gtcoder.sketch.distinct import Distinct, hash_numbers, hash_texts
from gtcoder.sketch.lattice import Lattice
from gtcoder.sketch.table import TableSketch


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "whole": rng.integers(0, 50, rows) * 5,
            "real": rng.standard_normal(rows),
            "cents": np.round(rng.random(rows) * 90, 2),
            "word": pa.array(rng.integers(0, 30, rows)).cast(pa.string()),
            "flag": pa.array(rng.random(rows) < 0.4, mask=rng.random(rows) < 0.1),
            "nothing": pa.nulls(rows),
            "day": pa.array(rng.integers(0, 900, rows).astype(np.int32)).cast(pa.date32()),
            "group": pa.array(rng.choice(["a", "b", "c"], rows)).dictionary_encode(),
            "list": pa.array([[1]] * rows),
        }
    )


def codec_of(sketch, schema):
    learned = Schema.infer(schema, sketch, exclude=["list"])
    return Codec.fit(learned, sketch).to_dict()


def shuffled_parts(whole, seed):
    rng = np.random.default_rng(seed)
    cuts = [0, *np.sort(rng.integers(0, whole.num_rows, 4)).tolist(), whole.num_rows]
    parts = [whole.slice(a, b - a) for a, b in pairwise(cuts)]
    return [TableSketch.of(parts[at]) for at in rng.permutation(len(parts))]


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_any_parts_gives_the_same_codec(seed):
    """Up to 32,768 distinct values nothing is estimated, so nothing may differ."""
    whole = table(5000)
    expected = codec_of(TableSketch.of(whole), whole.schema)
    sketches = shuffled_parts(whole, seed)
    assert codec_of(reduce(TableSketch.merge, sketches), whole.schema) == expected
    assert codec_of(reduce(lambda a, b: b.merge(a), sketches), whole.schema) == expected


def test_merging_leaves_the_parts_as_they_were():
    a, b = TableSketch.of(table(500, 1)), TableSketch.of(table(700, 2))
    before = codec_of(a, table(1).schema)
    first = codec_of(a.merge(b), table(1).schema)
    assert codec_of(a, table(1).schema) == before
    assert codec_of(a.merge(b), table(1).schema) == first


def test_sketches_pickle():
    sketch = TableSketch.of(table(500))
    back = pickle.loads(pickle.dumps(sketch))
    assert codec_of(back, table(1).schema) == codec_of(sketch, table(1).schema)
    assert back.to_dict() == sketch.to_dict()


def test_record_batches_are_sketched_too():
    batch = table(100).drop_columns("list").to_batches()[0]
    assert TableSketch.of(batch).to_dict() == TableSketch.of(pa.table(batch)).to_dict()


def test_what_is_counted():
    values = [1.0, 2.0, 2.0, float("nan"), None, float("inf")]
    sketch = ColumnSketch.of(pa.array(values))
    found = (sketch.rows, sketch.nulls, sketch.nans, sketch.present, sketch.distinct)
    assert found == (6, 1, 1, 4, 3)
    plain = TableSketch.of(pa.table({"x": values})).to_dict()
    assert plain == {
        "rows": 6,
        "columns": {"x": {"type": "double", "nulls": 1, "nans": 1, "distinct": 3}},
    }


def test_parts_of_different_types_are_refused():
    a, b = pa.table({"age": [1]}), pa.table({"age": ["x"]})
    message = "column 'age': expected the same type in every part of the table, found int64 in one"
    with pytest.raises(TableError, match=message):
        TableSketch.of(a).merge(TableSketch.of(b))
    with pytest.raises(TableError, match=r"column 'size': .* found nothing in one and int64 in an"):
        TableSketch.of(a).merge(TableSketch.of(pa.table({"age": [1], "size": [1]})))


def test_memory_is_bounded():
    """A million distinct values a column leave a sketch of under a megabyte a column."""
    rng = np.random.default_rng(0)
    parts = []
    for rows in np.split(np.arange(1_000_000), [300_000, 600_000, 999_000]):
        words = [pc.cast(pa.array(rows + 10**6), pa.string()), ""]
        identifiers = pc.binary_join_element_wise("AB-", *words)
        prose = pc.binary_join_element_wise("lorem " * 50, *words)
        columns = {"x": rng.random(len(rows)), "w": identifiers, "prose": prose}
        parts.append(TableSketch.of(pa.table(columns)))
    merged = reduce(TableSketch.merge, parts)
    assert len(pickle.dumps(merged)) < 3.5 * 1_000_000
    assert (merged.columns["w"].texts.prefix, merged.columns["w"].texts.shortest) == ("AB-1", 10)
    for name in columns:
        assert merged.columns[name].distinct == pytest.approx(1_000_000, rel=0.06)
        assert merged.columns[name].unique


def test_quantiles_of_many_distinct_values():
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(400_000)
    parts = [ColumnSketch.of(pa.array(part)) for part in np.split(numbers, 8)]
    merged = reduce(ColumnSketch.merge, parts)
    ranks = np.linspace(0.001, 0.999, 999)
    found = np.searchsorted(np.sort(numbers), merged.numbers.quantiles.at(ranks)) / len(numbers)
    assert np.abs(found - ranks).max() < 0.003


def counts_of(values):
    return Counts.of(pa.array(values)).bounded()


def as_dict(counts):
    return dict(zip(counts.values.to_pylist(), counts.counts.tolist(), strict=True))


@settings(derandomize=True, deadline=None)
@given(parts=st.lists(st.lists(st.integers(0, 5), min_size=1), min_size=3, max_size=3))
def test_law_counts_merge_as_sums(parts):
    a, b, c = map(counts_of, parts)
    expected = as_dict(counts_of([*parts[0], *parts[1], *parts[2]]))
    assert as_dict(a.merge(b).merge(c)) == as_dict(a.merge(b.merge(c))) == expected
    assert as_dict(c.merge(a).merge(b)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_frequent_counts_are_within_their_error(seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(300_000) < 0.3, rng.integers(0, 20, 300_000), np.arange(300_000))
    rng.shuffle(values)
    merged = reduce(Counts.merge, (counts_of(part) for part in np.split(values, 10)))
    assert len(merged.counts) <= CAPACITY
    assert 0 < merged.error <= len(values) / (CAPACITY / 2 + 1)
    found = as_dict(merged)
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        assert count - merged.error <= found.get(value, 0) <= count


@settings(derandomize=True, deadline=None)
@given(parts=st.lists(st.lists(st.integers(-9, 9), min_size=1), min_size=3, max_size=3))
def test_law_distinct_is_the_size_of_the_union(parts):
    sketches = []
    for part in parts:
        values, counts = np.unique(part, return_counts=True)
        sketches.append(Distinct.of(hash_numbers(values), counts))
    a, b, c = sketches
    for merged in (a.merge(b).merge(c), c.merge(b.merge(a))):
        assert merged.estimate == len({value for part in parts for value in part})
        assert merged.counts.sum() == sum(map(len, parts))


@pytest.mark.parametrize("distinct", [3000, 20_000, 500_000])
def test_distinct_is_estimated_within_five_percent(distinct):
    words = pc.cast(pa.array(np.arange(distinct)), pa.string())
    for hashes in (hash_numbers(np.arange(distinct)), hash_texts(words)):
        sketch = Distinct.of(hashes, np.ones(distinct, np.int64))
        assert sketch.estimate == pytest.approx(distinct, rel=0.05)


def test_text_hashes_do_not_depend_on_slices():
    words = pa.array(["", "a", "aa", "b" * 300, "日本", "a"] * 20_000)
    hashes = hash_texts(words)
    assert len(np.unique(hashes)) == 5
    np.testing.assert_array_equal(hash_texts(words.slice(70_001, 99)), hashes[70_001:70_100])


grids = st.builds(
    lambda anchor, step, places: np.array([anchor + step * k for k in places], np.int64),
    st.integers(-1000, 1000),
    st.integers(1, 500),
    st.lists(st.integers(-50, 50), max_size=20),
)


@settings(derandomize=True, deadline=None)
@given(parts=st.tuples(grids, grids, grids))
def test_law_lattices_merge_to_the_lattice_of_all(parts):
    a, b, c = map(Lattice.of_whole, parts)
    expected = Lattice.of_whole(np.concatenate(parts))
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == c.merge(a.merge(b)) == expected


@settings(derandomize=True, deadline=None)
@given(
    values=st.lists(st.integers(-5000, 5000), min_size=1, max_size=30),
    decimals=st.integers(0, 6),
    cut=st.integers(0, 30),
)
def test_law_lattices_of_reals_merge(values, decimals, cut):
    reals = np.array(values) / 10.0**decimals
    whole = Lattice.of_reals(reals, single=False)
    parts = Lattice.of_reals(reals[:cut], single=False).merge(
        Lattice.of_reals(reals[cut:], single=False)
    )
    assert whole == parts
    assert whole.regular
    assert whole.decimals <= decimals


@pytest.mark.parametrize(
    ("values", "single", "regular", "decimals", "step"),
    [
        ([0.1, 0.25, 3.0], False, True, 2, 5),
        ([0.1, 0.25, 3.0], True, True, 2, 5),
        ([1e-7], False, False, 0, 0),
        ([1 / 3], False, False, 0, 0),
        ([1e300], False, False, 0, 0),
        ([2.0**60, 0.5], False, False, 0, 0),
        ([100.0, 250.0], False, True, 0, 150),
    ],
)
def test_lattices_of_reals(values, single, regular, decimals, step):
    numbers = np.array(values, np.float32 if single else np.float64).astype(np.float64)
    lattice = Lattice.of_reals(numbers, single=single)
    assert (lattice.regular, lattice.decimals, lattice.step) == (regular, decimals, step)
