"""How workers are fitted into a cluster."""

import pytest

from gtcoder.progress import Reporter
from ray_jobs.cluster import workers as module
from ray_jobs.cluster.cluster import Cluster, Machine
from ray_jobs.cluster.workers import Workers, train_workers


def machines(*cpus, gpus=0, local=True):
    return Cluster(tuple(Machine(each, gpus) for each in cpus), local)


@pytest.fixture
def workers(reporter):
    def make(cluster, count=None, batch_rows=512, *, use_gpu=False):
        return train_workers(
            cluster, count, batch_rows=batch_rows, use_gpu=use_gpu, reporter=reporter
        )

    return make


@pytest.mark.parametrize(
    ("cpus", "count", "expected"),
    [
        ((1,), None, (1, 1)),
        ((2,), None, (2, 1)),
        ((2,), 1, (1, 2)),
        ((8,), 3, (3, 2)),
        ((16, 16), None, (8, 4)),
        ((16, 4), 2, (2, 8)),
        ((2, 1), 3, (3, 1)),
        ((2,), 3, (2, 1)),
    ],
)
def test_workers_are_as_large_as_fits(workers, cpus, count, expected):
    assert workers(machines(*cpus), count) == Workers(*expected, gpus=0, least=expected[0])


@pytest.mark.parametrize(("batch_rows", "count"), [(32, 1), (64, 1), (128, 2), (2_048, 16)])
def test_a_small_batch_is_not_shared_among_many(workers, batch_rows, count):
    assert workers(machines(16), batch_rows=batch_rows).count == count


def test_a_worker_a_gpu_as_long_as_each_has_rows_enough(workers):
    found = workers(machines(0, 8, gpus=4), batch_rows=2_048, use_gpu=True)
    assert found == Workers(4, 0, 1, least=4)
    assert found.resources == {"GPU": 1.0}
    assert workers(machines(8, gpus=8), batch_rows=512, use_gpu=True).count == 1
    assert workers(machines(8, gpus=8), 3, batch_rows=2_048, use_gpu=True).count == 3


@pytest.fixture
def others(monkeypatch):
    """What others leave of a cluster whose machines are there already."""

    def leave(*cpus):
        monkeypatch.setattr(module, "_SETTLE_S", 0)
        monkeypatch.setattr(module, "wait_for", lambda cluster, *_, **__: cluster)
        monkeypatch.setattr(module, "free", lambda cluster: machines(*cpus, local=False))

    return leave


def test_a_training_begins_with_what_others_leave_and_may_grow_to_what_pays(others, workers):
    others(1, 3)
    assert workers(machines(4, 4, local=False)) == Workers(8, 1, 0, least=1)
    assert workers(machines(4, 4, local=False), 2) == Workers(2, 1, 0, least=1)
    others(16)
    assert workers(machines(16, local=False), 4) == Workers(4, 4, 0, least=1)


def test_fewer_workers_than_were_asked_for_are_told(others, workers, capsys):
    tell = Reporter()
    train_workers(machines(2), 3, batch_rows=512, use_gpu=False, reporter=tell)
    assert capsys.readouterr().out == "2 workers of at most 3 to begin with\n"
    others(1)
    train_workers(machines(1, local=False), 4, batch_rows=512, use_gpu=False, reporter=tell)
    told = "1 worker of at most 4 to begin with; others join when there is room\n"
    assert capsys.readouterr().out == told
    assert workers(machines(2), batch_rows=2_048).count == 2
    assert capsys.readouterr().out == ""
