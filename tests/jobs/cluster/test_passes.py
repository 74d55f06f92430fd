"""Answers of many tasks are put together in order, and the first error among them is told."""

import pytest

from gtcoder.errors import TableError
from gtcoder.progress import Stage
from ray_jobs.cluster.cluster import present
from ray_jobs.cluster.passes import each_path, folded


@pytest.fixture
def cluster(ray_session):
    return present(local=True)


def same(things):
    if 777 in things:
        raise TableError("seven hundred and seventy-seven is odd")
    return list(things)


def joined(each):
    return [thing for one in each for thing in one]


@pytest.mark.parametrize("count", [1, 300])
def test_results_are_put_together_in_order(count, cluster):
    stage = Stage("pass")
    found = folded(range(count), same, joined, rows=lambda _: 3, stage=stage, cluster=cluster)
    assert found == list(range(count))
    assert stage.peak_bytes
    assert stage.busy_s > 0


def test_what_a_task_finds_wrong_is_raised_as_it_is_though_merged(cluster):
    things = [*range(299), 777]
    with pytest.raises(TableError, match=r"^seven hundred and seventy-seven is odd$"):
        folded(things, same, joined, rows=lambda _: 1, stage=Stage("pass"), cluster=cluster)


def test_every_path_is_looked_at_in_order(cluster):
    found = each_path(str.upper, [f"p{at}" for at in range(70)], cluster=cluster)
    assert list(found) == [f"P{at}" for at in range(70)]
