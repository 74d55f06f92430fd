"""The held-out rows, the order of epochs and the parts on disk follow from a seed alone."""

import threading
import tracemalloc
from functools import partial
from itertools import islice

import numpy as np
import pytest

from gtcoder.codec.layout import Encoded, Layout, concat, take
from gtcoder.errors import TableError
from gtcoder.training.rows import encoded as rows
from gtcoder.training.rows import parts
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.rows.held_out import held_out
from gtcoder.training.rows.parts import (
    Part,
    Shares,
    Written,
    read_manifest,
    read_part,
    stored,
    write_manifest,
    write_part,
    written_before,
)

ALL = Shares(1.0, 1.0)


def as_set(encoded: Encoded) -> set[bytes]:
    rows = np.concatenate([encoded.codes.astype(np.float32), encoded.scalars], 1)
    return {row.tobytes() for row in rows}


def cut(encoded: Encoded, *at: int) -> list[Encoded]:
    return [take(encoded, slice(a, b)) for a, b in zip((0, *at), (*at, None), strict=True)]


def in_parts(encoded: Encoded, *at: int) -> EncodedRows:
    parts = [Part(len(p), lambda p=p: p) for p in cut(encoded, *at)]
    return EncodedRows(parts, take(encoded, slice(0, 0)), encoded)


def written(folder, pieces: list[Encoded], layout: Layout, shares: Shares, **chosen) -> Written:
    each = [
        write_part(str(folder), f"{i}", piece, layout, shares, seed=3, **chosen)
        for i, piece in enumerate(pieces)
    ]
    return Written.joined(each)


def epoch(rows: EncodedRows, *, steps: int, **chosen: int) -> Encoded:
    arguments = {"seed": 1, "epoch": 0, "rank": 0, "world": 1, "batch_rows": 100} | chosen
    return concat(list(islice(rows.batches(**arguments), steps)))


@pytest.fixture(name="encoded", scope="session")
def halves(encoded) -> Encoded:
    """Rows whose scalars are half floats, no two alike."""
    grid = np.concatenate([np.arange(2_048) / 4_096, 0.5 + np.arange(1_024) / 2_048])
    scalars = np.zeros_like(encoded.scalars)
    scalars[:, 1] = np.random.default_rng(0).permutation(grid)[: len(encoded)]
    return Encoded(encoded.codes, scalars)


@pytest.fixture
def windowed(monkeypatch):
    """Tables of this size do not fit the shuffling window."""
    monkeypatch.setattr(rows, "WINDOW_ROWS", 1_000)


def test_of_wide_rows_fewer_are_in_memory(encoded, monkeypatch):
    fields = encoded.codes.shape[1]
    assert rows.window_rows(10) == rows.window_rows(0) == rows.WINDOW_ROWS
    assert rows.window_rows(1_000) < 40_000
    monkeypatch.setattr(rows, "WINDOW_VALUES", 1_000 * fields)
    table = in_parts(encoded, 500, 1_000, 1_500, 2_000, 2_500)
    table.validation = take(encoded, slice(0, 1))
    assert table.whole() is None
    assert as_set(epoch(table, steps=30)) == as_set(encoded)


@pytest.mark.parametrize("at", [(1,), (700, 701, 2_000)])
def test_held_out_does_not_depend_on_the_cut(encoded, at):
    whole = held_out(encoded, 5, 0.2)
    parts = np.concatenate([held_out(part, 5, 0.2) for part in cut(encoded, *at)])
    np.testing.assert_array_equal(whole, parts)  # scalars make these rows distinct
    assert abs(whole.mean() - 0.2) < 0.03


def test_held_out_follows_the_seed_and_the_fraction(encoded):
    assert not held_out(encoded, 5, 0.0).any()
    assert (held_out(encoded, 5, 0.2) != held_out(encoded, 6, 0.2)).any()
    assert held_out(encoded, 5, 0.3)[held_out(encoded, 5, 0.2)].all()
    assert not len(held_out(take(encoded, slice(0, 0)), 5, 0.2))


def test_holding_out_takes_little_memory(encoded):
    wide = Encoded(np.tile(encoded.codes, 50), np.tile(encoded.scalars, 50))
    tracemalloc.start()
    held_out(wide, 5, 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * wide.codes.size, "bytes: two a cell"


def test_no_frequent_combination_is_held_out_whole():
    codes = np.repeat(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int16), 500, axis=0)
    rows = Encoded(codes, np.zeros(codes.shape, np.float32))
    for seed in range(20):
        shares = held_out(rows, seed, 0.1).reshape(4, 500).mean(1)
        assert (abs(shares - 0.1) < 0.07).all()


def test_an_epoch_is_every_row_once_in_an_order_the_seed_decides(encoded):
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.0)
    first = epoch(rows, steps=30)
    assert as_set(first) == as_set(encoded)
    np.testing.assert_array_equal(first.scalars, epoch(rows, steps=30).scalars)
    for other in ({"seed": 2}, {"epoch": 1}):
        assert (epoch(rows, steps=30, **other).scalars != first.scalars).any()
        assert as_set(epoch(rows, steps=30, **other)) == as_set(encoded)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_workers_share_an_epoch(encoded, world):
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.0)
    steps = len(encoded) // (world * 50)
    shares = [epoch(rows, steps=steps, rank=r, world=world, batch_rows=50) for r in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert len(set.union(*map(as_set, shares))) == sum(map(len, shares)), "disjoint"


@pytest.mark.usefixtures("windowed")
@pytest.mark.parametrize("world", [1, 2, 3])
def test_workers_share_the_parts_of_a_table_beyond_the_window(encoded, world):
    rows = in_parts(encoded, 500, 1_000, 1_500, 2_000, 2_500)
    steps = len(encoded) // (world * 50)
    shares = [epoch(rows, steps=steps, rank=r, world=world, batch_rows=50) for r in range(world)]
    assert set.union(*map(as_set, shares)) == as_set(encoded)
    again = epoch(rows, steps=steps, rank=world - 1, world=world, batch_rows=50)
    np.testing.assert_array_equal(again.scalars, shares[-1].scalars)


@pytest.mark.usefixtures("windowed")
def test_workers_take_equally_many_steps_however_unequal_their_parts(encoded):
    rows = in_parts(encoded, 2_900, 2_990)
    steps = 10
    shares = [epoch(rows, steps=steps, rank=r, world=3, batch_rows=100) for r in range(3)]
    assert [len(share) for share in shares] == [1_000] * 3


@pytest.mark.usefixtures("windowed")
def test_more_workers_than_parts(encoded):
    rows = in_parts(encoded, 1_500)
    shares = [epoch(rows, steps=5, rank=r, world=3) for r in range(3)]
    assert (shares[0].scalars != shares[1].scalars).any()


@pytest.mark.usefixtures("windowed")
def test_of_fewer_parts_than_workers_none_is_left_out(encoded):
    table = in_parts(encoded, 1_500)
    shares = [epoch(table, steps=15, rank=r, world=3) for r in range(3)]
    assert set.union(*map(as_set, shares)) == as_set(encoded)


@pytest.mark.parametrize("skip", [0, 1, 7, 13, 31])
@pytest.mark.parametrize("window", [1_000, 10_000])
def test_going_on_in_mid_epoch_reads_no_window_before(encoded, monkeypatch, skip, window):
    monkeypatch.setattr(rows, "WINDOW_ROWS", window)
    loaded = []
    table = in_parts(encoded, 500, 1_000, 1_500, 2_000, 2_500)
    table.parts = [
        Part(part.rows, lambda k=k, part=part: (loaded.append(k), part.load())[1])
        for k, part in enumerate(table.parts)
    ]
    whole = epoch(table, steps=40)
    loaded.clear()
    rest = epoch(table, steps=40 - skip, skip=skip)
    np.testing.assert_array_equal(rest.scalars, whole.scalars[skip * 100 :])
    if window == 1_000 and 5 <= skip < 30:
        assert len(loaded) <= 6 - skip // 5 + 3


@pytest.mark.usefixtures("windowed")
def test_the_next_window_is_read_while_one_is_used(encoded):
    table, read = in_parts(encoded, 500, 1_000, 1_500, 2_000, 2_500), []
    both = threading.Event()

    def load(part: Part) -> Encoded:
        read.append(len(read))
        if len(read) > 1:
            both.set()
        return part.load()

    table.parts = [Part(part.rows, partial(load, part)) for part in table.parts]
    batches = table.batches(seed=0, epoch=0, rank=0, world=1, batch_rows=100)
    next(batches)
    assert both.wait(30)
    batches.close()
    assert len(read) == 2, "no more than one ahead"


def test_more_workers_than_rows(encoded):
    rows = EncodedRows.of(take(encoded, slice(0, 3)), seed=0, validation_fraction=0.0)
    for rank in range(5):
        assert len(epoch(rows, steps=2, rank=rank, world=5, batch_rows=1)) == 2
        assert len(rows.shard(rank=rank, world=5, most=100, seed=0))


@pytest.mark.parametrize("world", [1, 3])
def test_shards_are_disjoint_and_come_from_all_over_a_sorted_table(encoded, world):
    ordered = take(encoded, np.argsort(encoded.codes[:, 3], kind="stable"))
    rows = EncodedRows.of(ordered, seed=0, validation_fraction=0.0)
    shards = [rows.shard(rank=r, world=world, most=600, seed=0) for r in range(world)]
    assert len(set.union(*map(as_set, shards))) == sum(map(len, shards)) == 600
    assert len(np.unique(np.concatenate([s.codes[:, 3] for s in shards]))) == 20


@pytest.mark.usefixtures("windowed")
def test_shards_of_a_table_beyond_the_window_are_disjoint(encoded):
    rows = in_parts(encoded, 500, 1_000, 2_000)
    shards = [rows.shard(rank=r, world=2, most=600, seed=0) for r in range(2)]
    assert len(set.union(*map(as_set, shards))) == sum(map(len, shards)) == 600
    everything = rows.shard(rank=0, world=1, most=10_000, seed=0)
    assert as_set(everything) == as_set(encoded)


@pytest.mark.usefixtures("windowed")
def test_rows_in_memory_are_shuffled_and_sampled_whole_however_many(encoded):
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0)
    assert len(rows.shard(rank=0, world=1, most=2_000, seed=0)) == 2_000
    first = next(rows.batches(seed=0, epoch=0, rank=0, world=1, batch_rows=len(encoded)))
    assert as_set(first) == as_set(encoded)


@pytest.mark.usefixtures("windowed")
def test_a_sample_of_a_large_table_is_read_from_its_own_file(encoded, layout, tmp_path):
    pieces = cut(encoded, 500, 1_000, 2_000)
    shares = Shares(1.0, 600 / len(encoded))
    whole = written(tmp_path, pieces, layout, shares, fraction=0.1)
    write_manifest(str(tmp_path), whole, layout)
    for piece in pieces:
        assert 0.15 < len(as_set(whole.sample) & as_set(piece)) / len(piece) < 0.25
    for file in tmp_path.glob("part-*"):
        file.unlink()
    opened = EncodedRows.open(str(tmp_path), layout)
    shards = [opened.shard(rank=r, world=2, most=1_000, seed=0) for r in range(2)]
    assert set.union(*map(as_set, shards)) == as_set(whole.sample)
    assert not as_set(whole.sample) & as_set(opened.validation)


def test_shares_follow_from_rows_and_width(layout, field):
    assert Shares.of(1_000, layout, fraction=0.1, sampled=False) == Shares(1.0, 0.0)
    assert Shares.of(10**9, layout, fraction=2e-5, sampled=True) == Shares(1.0, 1e-4)
    assert Shares.of(10**9, layout, fraction=0.1, sampled=True).held == 2e-4
    wide = Layout((field("a"),) * 1_000)
    assert (
        Shares.of(10**9, wide, fraction=0.1, sampled=True).sample
        == (parts.SAMPLE_VALUES // 1_000) / 1e9
    )


def test_parts_round_trip(encoded, layout, tmp_path):
    before = write_part(str(tmp_path), "0", encoded, layout, ALL, seed=3, fraction=0.1)
    held = held_out(encoded, 3, 0.1)
    assert before.lines == ({"name": "0", "train": (~held).sum(), "validation": held.sum()},)
    back = read_part(f"{tmp_path}/part-0.arrow", layout)
    for found, which in ((take(back, slice((~held).sum())), ~held), (before.held, held)):
        assert as_set(found) == as_set(take(encoded, which))
    assert back.codes.dtype == np.int16
    again = written_before(str(tmp_path), before.lines[0], layout, ALL)
    for one, other in ((before.held, again.held), (before.sample, again.sample)):
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.scalars, other.scalars)


def test_a_part_takes_a_byte_for_a_code_and_two_for_a_scalar(encoded, layout):
    """Random scalars cannot be compressed: 4 codes and 1 scalar of 3,000 rows."""
    assert len(parts.to_ipc(encoded, layout)) < 3_000 * (4 + 2) + 2_000


def test_what_is_stored_is_close_and_stays_below_1():
    scalars = np.array([[0, 0.3, 0.99999, 1, -1]], np.float32)
    found = stored(Encoded(np.zeros((1, 5), np.int16), scalars)).scalars
    np.testing.assert_allclose(found, scalars, atol=5e-4)
    np.testing.assert_array_equal(found < 1, scalars < 1)


def test_codes_beyond_a_byte_are_kept(field, tmp_path):
    layout = Layout((field("a", [1] * 300), field("b", [1, 1])))
    codes = np.stack([np.arange(300), np.arange(300) % 2], 1).astype(np.int16)
    some = Encoded(codes, np.zeros((300, 2), np.float32))
    write_part(str(tmp_path), "0", some, layout, ALL, seed=3, fraction=0)
    found = read_part(f"{tmp_path}/part-0.arrow", layout)
    np.testing.assert_array_equal(found.codes, codes)


def test_a_part_without_a_name_is_called_after_its_content(encoded, layout, tmp_path):
    one, two = cut(encoded, 1_000)
    each = [
        write_part(str(tmp_path), None, rows, layout, ALL, seed=3, fraction=0.1)
        for rows in (one, two, one)
    ]
    assert each[0].lines == each[2].lines != each[1].lines
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_opens_once_its_manifest_is_there(encoded, layout, tmp_path):
    whole = written(tmp_path, cut(encoded, 1_000), layout, ALL, fraction=0.1)
    assert read_manifest(str(tmp_path)) is None
    with pytest.raises(TableError, match="holds no finished encoding; run the training again"):
        EncodedRows.open(str(tmp_path), layout)
    write_manifest(str(tmp_path), whole, layout)
    rows = EncodedRows.open(str(tmp_path), layout)
    held = held_out(encoded, 3, 0.1)
    assert rows.rows == (~held).sum()
    assert as_set(rows.whole()) == as_set(take(encoded, ~held))
    assert as_set(rows.validation) == as_set(take(encoded, held))
    memory = EncodedRows.of(encoded, seed=3, validation_fraction=0.1)
    assert as_set(memory.validation) == as_set(rows.validation)


def test_validation_rows_come_from_every_part(encoded, layout, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "VALIDATION_ROWS", 60)
    pieces = cut(encoded, 1_000, 2_000)
    shares = Shares.of(len(encoded), layout, fraction=0.5, sampled=False)
    write_manifest(str(tmp_path), written(tmp_path, pieces, layout, shares, fraction=0.5), layout)
    validation = EncodedRows.open(str(tmp_path), layout).validation
    assert 57 <= len(validation) <= 66
    for piece in pieces:
        assert 15 < len(as_set(validation) & as_set(piece)) < 25


def test_a_part_without_scalars_or_rows(field, tmp_path):
    layout = Layout((field("a"),))
    rows = Encoded(np.array([[0], [1]], np.int16), np.zeros((2, 1), np.float32))
    write_part(str(tmp_path), "p", rows, layout, ALL, seed=0, fraction=0.0)
    back = read_part(f"{tmp_path}/part-p.arrow", layout)
    np.testing.assert_array_equal(back.codes, rows.codes)
    assert back.scalars.shape == (2, 1)
    none = take(rows, slice(0, 0))
    empty = write_part(str(tmp_path), "e", none, layout, ALL, seed=0, fraction=0.1)
    assert empty.lines == ({"name": "e", "train": 0, "validation": 0},)
    assert read_part(f"{tmp_path}/part-e.arrow", layout).codes.shape == (0, 1)
