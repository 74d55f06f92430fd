"""What is waited for is said, and the wait ends with one line."""

import re
import threading

import pytest

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter
from ray_jobs.cluster import waiting
from ray_jobs.cluster.cluster import Cluster, Machine, present
from ray_jobs.cluster.waiting import wait_for


def test_a_machine_that_cannot_come_is_said_at_once(reporter):
    here = Cluster((Machine(2),), local=True)
    assert wait_for(here, {"CPU": 2}, reporter) is here
    with pytest.raises(ConfigError, match=r"^4 CPUs needed on one machine; .* has 2 CPUs"):
        wait_for(here, {"CPU": 4}, reporter)
    with pytest.raises(ConfigError, match=r"^1 GPU needed .*; leave --use-gpu out$"):
        wait_for(here, {"GPU": 1}, reporter)


def test_a_machine_that_does_not_come_is_waited_for_and_told(ray_session, monkeypatch, capsys):
    monkeypatch.setattr(waiting, "_SOON_S", 0.5)
    with pytest.raises(ConfigError, match=r"^no machine with 1 GPU came within --wait 3s; the "):
        wait_for(present(local=False), {"GPU": 1}, Reporter(), wait_s=3)
    told = capsys.readouterr().out
    assert told == ("waiting for 1 GPU, for at most 3 s: 1 s; the cluster has 4 CPUs and 0 GPUs\n")


def test_what_others_hold_is_waited_for_without_limit(ray_session, monkeypatch, capsys):
    import ray

    class Holder:
        def ready(self):
            pass

    monkeypatch.setattr(waiting, "_SOON_S", 0.5)
    holder = ray.remote(num_cpus=4)(Holder).remote()
    ray.get(holder.ready.remote())
    threading.Timer(4, ray.kill, [holder]).start()
    wait_for(present(local=False), {"CPU": 1}, Reporter(), wait_s=1)
    assert re.match(
        r"waiting for 1 CPU, which others hold: \d s; .* 4 CPUs", capsys.readouterr().out
    )
