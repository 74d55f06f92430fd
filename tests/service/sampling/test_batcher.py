"""What is decoded together, and who waits for whom."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import Range, Sampler
from gtcoder.table.writers import ArrowWriter
from gtcoder.where.constraint import constraints
from gtcoder.where.written import from_json
from serve.sampling.batcher import ROUND_TRIES, Batcher


@pytest.fixture(scope="module")
def sampler(bundle_path):
    bundle = Bundle.load(bundle_path)
    return Sampler(bundle.model(), bundle.codec)


@pytest.fixture
def few(sampler):
    """The plan of rows that take many candidates each."""
    return sampler.drawer.plan(constraints(sampler.codec, from_json(["size>=12"])))


def run(sampler, scene, *, together=True):
    """What a scene gives, and the rounds that it took."""
    rounds = []

    async def begun(executor):
        batcher = Batcher(sampler, executor, together=together, observe=rounds.append)
        return await scene(batcher)

    with ThreadPoolExecutor(1) as executor:
        return asyncio.run(begun(executor)), rounds


@pytest.mark.parametrize("together", [True, False])
def test_pieces_make_the_rows_of_the_whole(sampler, few, together):
    wanted = [Range(plan, 3, 0, rows) for plan in (few, sampler.plan) for rows in (1, 700, 5_000)]

    async def scene(batcher):
        return await asyncio.gather(*map(batcher.draw, wanted))

    tables, _ = run(sampler, scene, together=together)
    for table, each in zip(tables, wanted, strict=True):
        assert table.equals(sampler.table([each]))


def test_what_is_drawn_together_is_written_as_what_is_drawn_alone(sampler):
    """To the last byte, where Arrow fills up with what comes next in memory."""
    wanted = [Range(sampler.plan, seed, 0, 1) for seed in range(8)]

    async def scene(batcher):
        return await asyncio.gather(*map(batcher.draw, wanted))

    tables, rounds = run(sampler, scene)
    assert len(rounds) == 1
    for table, each in zip(tables, wanted, strict=True):
        alone = sampler.table([each])
        written, expected = (ArrowWriter(t.schema) for t in (table, alone))
        assert written.rows(table) == expected.rows(alone)


def test_a_small_request_waits_for_one_round_of_large_ones(sampler, few):
    async def scene(batcher):
        large = [asyncio.create_task(batcher.draw(Range(few, seed, 0, 4_096))) for seed in range(3)]
        await asyncio.sleep(0)
        await batcher.draw(Range(sampler.plan, 0, 0, 10))
        return sum(task.done() for task in large)

    done, rounds = run(sampler, scene)
    assert done == 0
    assert all(one.rows * few.tries <= 2 * ROUND_TRIES for one in rounds)


def test_small_requests_are_decoded_together(sampler):
    async def scene(batcher):
        wanted = [Range(sampler.plan, seed, 0, 100) for seed in range(64)]
        return await asyncio.gather(*map(batcher.draw, wanted))

    tables, rounds = run(sampler, scene)
    assert len(pa.concat_tables(tables)) == 6_400
    assert [one.requests for one in rounds] == [64]


def test_a_stream_draws_few_blocks_ahead(sampler):
    async def scene(batcher):
        stream = batcher.stream(Range(sampler.plan, 0, 0, 1_000_000))
        table = await anext(stream)
        await asyncio.sleep(0.5)
        await stream.aclose()
        return table

    table, rounds = run(sampler, scene)
    assert len(table) == 4_096
    assert len(rounds) <= 3
