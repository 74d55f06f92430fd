"""Shapes of text: what is made is shaped like the values, is none of them, and tells of none."""

import json
import re
import uuid

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtcoder.codec.codec import Codec
from gtcoder.codec.shape import Shapes
from gtcoder.schema.schema import Schema
from gtcoder.sketch.sample import K, TextSample
from gtcoder.sketch.table import TableSketch

RNG = np.random.default_rng(0)
ROWS = 800


def _iban() -> str:
    account = f"{RNG.integers(10**17, 10**18)}"
    check = 98 - int(f"{account}131400") % 97
    return f"DE{check:02d}{account}"


FORMS = {
    "sku": ([f"SKU-{v:06d}" for v in RNG.integers(0, 20_000, ROWS)], r"SKU-\d{6}"),
    "plate": (
        [
            f"{''.join(RNG.choice(list('ABCDEF'), 2))} {RNG.integers(1000, 9999)}"
            for _ in range(ROWS)
        ],
        r"[A-F]{2} \d{4}",
    ),
    "phone": (
        [f"+49 {RNG.integers(150, 180)} {RNG.integers(10**6, 10**7)}" for _ in range(ROWS)],
        r"\+49 1[5-7]\d \d{7}",
    ),
    "uuid": (
        [str(uuid.UUID(bytes=RNG.bytes(16), version=4)) for _ in range(ROWS)],
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    ),
    "e-mail": (
        [f"{w}.{RNG.integers(100, 999)}@mail{RNG.integers(9)}.de" for w in ["anna", "otto"] * 400],
        r"[a-z]{4}\.\d{3}@example\.(com|net|org)",
    ),
    "iban": ([_iban() for _ in range(ROWS)], r"DE\d{20}"),
    "zip": ([f"{v:05d}" for v in RNG.integers(1067, 99_999, ROWS)], r"\d{5}"),
    "umlauts": ([f"Straße {v}" for v in RNG.integers(1000, 9999, ROWS)], r"Straße \d{4}"),
    "two lengths": ([f"A{v}" for v in RNG.integers(10, 9999, ROWS)], r"A\d{2,4}"),
}


def drawn(shapes: Shapes, rows: int, *, unique: bool = False, seed: int = 1) -> list[str]:
    seeds = np.random.default_rng(seed).integers(0, 2**63, rows).astype(np.uint64)
    return shapes.draw(seeds, np.arange(rows) if unique else None).to_pylist()


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_made_has_the_form_of_the_values(form, unique):
    values, pattern = FORMS[form]
    shapes = Shapes.of(sorted(set(values)), 5)
    made = drawn(shapes, 500, unique=unique)
    assert all(re.fullmatch(pattern, text) for text in made), made[:5]
    assert len(set(made)) > 100
    assert Shapes.from_dict(json.loads(json.dumps(shapes.to_dict()))) == shapes


def test_ibans_have_right_check_digits():
    made = drawn(Shapes.of(FORMS["iban"][0], 5), 200)
    moved = [
        text[4:] + str(ord(text[0]) - 55) + str(ord(text[1]) - 55) + text[2:4] for text in made
    ]
    assert {int(text) % 97 for text in moved} == {1}


@pytest.mark.parametrize("form", FORMS)
def test_unique_ones_never_come_twice_even_past_their_room(form):
    shapes = Shapes.of(sorted(set(FORMS[form][0])), 5)
    made = drawn(shapes, 30_000, unique=True)
    assert len(set(made)) == 30_000


def test_the_room_of_few_places_is_widened():
    shapes = Shapes.of([f"{k:02d}" for k in range(100)], 5)
    made = drawn(shapes, 1_000, unique=True)
    assert len(set(made)) == 1_000
    assert {len(text) for text in made[:100]} == {2}


@pytest.mark.parametrize("rows", [1, 4])
def test_what_few_values_share_is_not_written(rows):
    rare = [f"Zq{k}#7" for k in range(rows)]
    values = [f"id-{v:04d}" for v in range(500)] + rare
    written = json.dumps(Shapes.of(values, 5).to_dict())
    assert "Z" not in written
    assert "#" not in written


def test_a_rare_character_of_a_common_shape_is_not_written():
    values = [f"{'ABC'[k % 3]}-{k:04d}" for k in range(600)] + ["Ω-0001", "Q-0002"]
    written = json.dumps(Shapes.of(values, 5).to_dict(), ensure_ascii=False)
    assert "Ω" not in written
    assert '"Q"' not in written


@pytest.mark.parametrize("values", [[], [""], ["a", "b"], ["one", "two three", "4", "?!"]])
def test_too_few_alike_have_no_shape(values):
    assert not Shapes.of(values, 5)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=60), st.booleans())
def test_law_any_text_gives_shapes_that_draw(values, unique):
    shapes = Shapes.of(sorted(set(values)), 5)
    if shapes:
        made = drawn(shapes, 50, unique=unique)
        assert len(made) == 50
        assert made == drawn(shapes, 50, unique=unique)
        assert not unique or len(set(made)) == 50


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=80), st.integers(0, 80))
def test_law_the_sample_is_the_same_however_the_column_is_cut(values, cut):
    def sample(part):
        return TableSketch.of(pa.table({"x": pa.array(part, pa.string())})).columns["x"].sample

    whole, merged = sample(values), sample(values[:cut]).merge(sample(values[cut:]))
    np.testing.assert_array_equal(whole.hashes, merged.hashes)
    assert whole.values.equals(merged.values)


def test_the_sample_is_bounded():
    values = pa.array([f"v{k}" for k in range(20_000)])
    hashes = np.random.default_rng(0).integers(0, 2**63, 20_000).astype(np.uint64)
    sample = TextSample.of(values, hashes)
    assert len(sample.values) == len(sample.hashes) == K
    assert sample.hashes[-1] == np.sort(hashes)[K - 1]


def codec_of(table):
    sketch = TableSketch.of(table)
    return Codec.fit(Schema.infer(table.schema, sketch), sketch)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize("form", ["sku", "e-mail", "uuid"])
def test_a_column_of_rare_text_comes_back_in_its_shape(kind, missing, form):
    values, pattern = FORMS[form]
    mask = np.random.default_rng(3).random(ROWS) < missing
    column = pa.array(values, mask=mask).cast(kind)
    table = pa.table({"x": column, "y": np.arange(ROWS) % 5})
    codec = codec_of(table)
    assert codec.schema["x"].kind in ("pattern", "identifier")
    assert codec.schema["x"].note
    encoded = codec.encode(table)
    back = codec.decode(encoded, np.random.default_rng(4).random((ROWS, 2)), np.arange(ROWS))["x"]
    assert back.type.equals(kind)
    assert back.null_count == column.null_count
    made = back.cast(pa.string()).drop_null().to_pylist()
    assert all(re.fullmatch(pattern, text) for text in made)
    written = json.dumps(codec.to_dict())
    assert not any(value in written for value in values)
    if form != "sku":  # of 20,000 possible ones some are met by chance
        assert not set(made) & set(values)
