"""Where records of batches lie: owners, pages, attempts and age."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serve.batches.record import Record
from serve.batches.records import Records

NOW = datetime.now(UTC)


def record(number, *, owner="me", age=timedelta(), **more):
    created = (NOW - age - timedelta(seconds=number)).isoformat(timespec="milliseconds")
    return Record(
        id=f"{number:024x}",
        owner=owner,
        model="claims",
        bundle="/claims",
        checksum="c",
        rows=5,
        seed=1,
        where=None,
        output=f"out/{number}",
        rows_per_file=5,
        created=created,
        **more,
    )


@pytest.fixture
def records(tmp_path):
    return Records(str(tmp_path), 30)


def ids(found):
    return [int(each.id, 16) for each in found]


def test_pages_go_on_where_the_last_ended_whatever_comes_meanwhile(records):
    for number in range(10):
        (records.save if number % 3 == 0 else records.settle)(record(number))
    first, after = records.page("me", 4, None)
    records.save(record(99, age=timedelta(days=-1)))
    second, after = records.page("me", 4, after)
    third, end = records.page("me", 4, after)
    assert ids(first) + ids(second) + ids(third) == list(range(10))
    assert end is None


def test_owners_see_their_own_only(records):
    mine, others = record(1), record(2, owner="other")
    records.settle(mine)
    records.save(others)
    assert records.page("me", 10, None) == ([mine], None)
    assert records.load("me", others.id) is None
    assert records.load("other", others.id) == others
    assert records.active() == [others]


def test_the_latest_attempt_counts_whatever_was_left_behind(records):
    first = record(1, state="failed")
    records.settle(first)
    second = replace(first, attempt=2, state=None)
    records.reopen(second, first)
    records.settle(first)  # by a service that has looked before
    assert records.load("me", first.id) == second
    assert records.page("me", 10, None) == ([second], None)
    ended = replace(second, state="succeeded")
    records.settle(ended)
    assert records.load("me", first.id) == ended
    assert records.page("me", 10, None) == ([ended], None)
    assert records.active() == []


def test_only_what_has_ended_long_ago_is_forgotten(records, tmp_path):
    old, new = (
        record(n, age=timedelta(days=days), state="failed") for n, days in ((1, 31), (2, 29))
    )
    running = record(3, age=timedelta(days=31))
    for each in (old, new):
        records.settle(each)
    records.save(running)
    assert records.load("me", old.id) is None
    assert ids(records.page("me", 10, None)[0]) == [2, 3]
    records.forget_old()
    assert len(list(tmp_path.rglob("*.json"))) == 2
    assert Records(str(tmp_path), 32).load("me", old.id) is None


def test_of_many_that_ended_none_is_read_in_vain(records, tmp_path):
    for number in range(100):
        records.settle(record(number, state="succeeded"))
    for path in sorted(tmp_path.rglob("*.json"))[:80]:
        path.write_text("what cannot be read")
    assert ids(records.page("me", 20, None)[0]) == list(range(20))
