"""How workers are fitted into a cluster, and what is said when they do not."""

import pytest

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter
from ray_jobs.cluster.cluster import Cluster, Machine
from ray_jobs.cluster.workers import Workers, train_workers, wait_for, wait_free


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
    ],
)
def test_workers_are_as_large_as_fits(workers, cpus, count, expected):
    assert workers(machines(*cpus), count) == Workers(*expected, gpus=0, least=expected[0])


@pytest.mark.parametrize(("batch_rows", "count"), [(32, 1), (64, 1), (128, 2), (2_048, 16)])
def test_a_small_batch_is_not_shared_among_many(workers, batch_rows, count):
    assert workers(machines(16), batch_rows=batch_rows).count == count


def test_one_worker_a_gpu(workers):
    found = workers(machines(0, 8, gpus=2), use_gpu=True)
    assert found == Workers(4, 0, 1, least=4)
    assert found.resources == {"GPU": 1.0}


def test_a_cluster_may_lose_workers_and_what_others_hold_is_left_to_them(monkeypatch, workers):
    monkeypatch.setattr("ray_jobs.cluster.workers._SETTLE_S", 0)
    monkeypatch.setattr(
        "ray_jobs.cluster.workers.free", lambda cluster: machines(1, 3, local=False)
    )
    assert workers(machines(4, 4, local=False)) == Workers(4, 1, 0, least=1)


def test_all_that_others_hold_is_waited_for(monkeypatch, capsys):
    free = iter([(0,), (0,), (0,), (2,)])
    monkeypatch.setattr("ray_jobs.cluster.workers._SETTLE_S", 0)
    monkeypatch.setattr("ray_jobs.cluster.workers.free", lambda cluster: machines(*next(free)))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert wait_free(machines(2, local=False), "CPU", 4, Reporter()).cpus == 2
    assert capsys.readouterr().out == "waiting for a CPU: others hold all that the cluster has\n"


def test_too_few_cpus_are_said_at_once(workers):
    with pytest.raises(ConfigError, match=r"3 workers cannot run without 3 CPUs; .* 2 CPUs and 0"):
        workers(machines(2), 3)


def test_no_gpu_is_said_at_once(workers):
    with pytest.raises(ConfigError, match=r"1 worker cannot run without 1 GPU;.*use-gpu"):
        workers(machines(2), use_gpu=True)


def test_a_cluster_may_grow(monkeypatch, ray_session):
    grown = iter([(1,), (1, 4)])
    monkeypatch.setattr("ray_jobs.cluster.workers.present", lambda local: machines(*next(grown)))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert wait_for(machines(0, local=False), {"CPU": 1}, 3).cpus == 5
