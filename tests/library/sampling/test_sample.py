"""The stream of rows is one, however it is cut."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch

from gtcoder.codec.codec import Codec
from gtcoder.errors import ConfigError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.sampling.sample import BLOCK_ROWS, Range, Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.where.constraint import constraints


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "id": np.arange(2_000),
            "city": pa.array(rng.choice(["Oslo", "Bergen"], 2_000)).dictionary_encode(),
            "pay": pa.array(rng.normal(size=2_000), mask=rng.random(2_000) < 0.1),
            "note": ["n/a"] * 2_000,
        }
    )


@pytest.fixture(scope="module")
def codec(table) -> Codec:
    sketch = TableSketch.of(table)
    return Codec.fit(Schema.infer(table.schema, sketch), sketch)


@pytest.fixture(scope="module")
def model(codec, small) -> GTCoder:
    torch.manual_seed(0)
    return GTCoder(codec.layout, small().model)


@pytest.fixture(params=[(), ("city=Oslo", "pay>=1")], ids=["free", "conditioned"])
def sampler(request, codec, model) -> Sampler:
    return Sampler(model, codec, constraints(codec, request.param))


def test_a_range_is_the_same_in_whatever_pieces(sampler, table):
    end = 2 * BLOCK_ROWS + 100
    whole = sampler.rows(3, 0, end)
    assert whole.schema.equals(table.schema, check_metadata=True)
    for bounds in ([0, 1, BLOCK_ROWS, end], [0, 700, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, end]):
        pieces = [sampler.rows(3, a, b) for a, b in pairwise(bounds)]
        assert pa.concat_tables(pieces).combine_chunks().equals(whole.combine_chunks())


def test_ranges_drawn_together_are_those_drawn_alone(codec, model):
    sampler = Sampler(model, codec)
    plans = [sampler.drawer.plan(constraints(codec, where)) for where in ((), ["city=Oslo"], ())]
    ranges = [
        Range(plan, seed, start, start + rows)
        for plan, seed, start, rows in zip(
            plans, (1, 2, 3), (0, 50, 4_000), (10, 700, 200), strict=True
        )
    ]
    together = sampler.table(ranges)
    alone = pa.concat_tables([sampler.table([each]) for each in ranges])
    assert together.combine_chunks().equals(alone.combine_chunks())
    assert set(together["city"][10:710].to_pylist()) == {"Oslo"}


def test_blocks_and_seeds_differ(sampler):
    first, second = (sampler.rows(3, at, at + 50)["pay"] for at in (0, BLOCK_ROWS))
    assert not first.equals(second)
    assert not first.equals(sampler.rows(4, 0, 50)["pay"])


def test_identifiers_never_come_twice(sampler):
    ids = pa.concat_tables([sampler.rows(3, 0, 60), sampler.rows(3, 60, 100)])["id"]
    assert len(ids.unique()) == 100


def test_no_rows(sampler, table):
    assert sampler.rows(3, 7, 7).schema.equals(table.schema)
    assert len(sampler.rows(3, 7, 7)) == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [((-1, 0, 1), "seed must not be negative"), ((0, 0, -1), "number of rows must not")],
)
def test_what_cannot_be_asked(sampler, request_, message):
    with pytest.raises(ConfigError, match=message):
        sampler.rows(*request_)


def test_all_is_drawn_on_the_device_of_the_model(codec, small, monkeypatch):
    """On the device without data, where tensors of another one are refused."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.zeros(tensor.shape))
    model = GTCoder(codec.layout, small().model)
    where = constraints(codec, ("city=Oslo",))
    rows = Sampler(model, codec, where, device="meta").rows(3, 0, BLOCK_ROWS + 10)
    assert rows.num_rows == BLOCK_ROWS + 10
