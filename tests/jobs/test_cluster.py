"""How workers are fitted into a cluster, and what is said when they do not."""

import pytest

from gtcoder.errors import ConfigError
from ray_jobs.cluster import Cluster, Workers, connected, train_workers, wait_for


def machines(*cpus, gpus=0):
    return Cluster(node_cpus=cpus, gpus=gpus, local=True)


@pytest.mark.parametrize(
    ("cpus", "count", "expected"),
    [
        ((1,), None, Workers(1, 1, 0)),
        ((2,), None, Workers(1, 2, 0)),
        ((2,), 2, Workers(2, 1, 0)),
        ((8,), 3, Workers(3, 2, 0)),
        ((16, 16), None, Workers(2, 16, 0)),
        ((16, 4), None, Workers(2, 8, 0)),
        ((2, 1), 3, Workers(3, 1, 0)),
    ],
)
def test_workers_are_as_large_as_fits(cpus, count, expected):
    assert train_workers(machines(*cpus), count, use_gpu=False) == expected


def test_one_worker_a_gpu():
    workers = train_workers(machines(8, 8, gpus=4), None, use_gpu=True)
    assert workers == Workers(4, 4, 1)
    assert workers.resources == {"CPU": 4.0, "GPU": 1.0}


def test_too_few_cpus_are_said_at_once():
    with pytest.raises(ConfigError, match=r"3 workers cannot run without 3 CPUs; .* 2 CPUs and 0"):
        train_workers(machines(2), 3, use_gpu=False)


def test_no_gpu_is_said_at_once():
    with pytest.raises(ConfigError, match=r"1 worker cannot run without 1 CPU and 1 GPU;.*use-gpu"):
        train_workers(machines(2), None, use_gpu=True)


def test_a_cluster_may_grow(monkeypatch, ray_session):
    grown = iter([(1,), (1, 4)])
    monkeypatch.setattr("ray_jobs.cluster._cluster", lambda local: machines(*next(grown)))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    small = Cluster(node_cpus=(0,), gpus=0, local=False)
    assert wait_for(small, {"CPU": 1}, 3).cpus == 5


def test_nobody_at_the_address_is_said_soon(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with (
        pytest.raises(ConfigError, match=r"--address 127.0.0.1:1: no Ray cluster answers there"),
        connected("127.0.0.1:1"),
    ):
        pass
