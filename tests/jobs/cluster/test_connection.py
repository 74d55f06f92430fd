"""What is said when there is no cluster, and when Ray fails meanwhile."""

import os

import pytest

from gtcoder.errors import ConfigError, GTCoderError
from ray_jobs.cluster.connection import connected


def test_nobody_at_the_address_is_said_soon(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with (
        pytest.raises(ConfigError, match=r"--address 127.0.0.1:1: no Ray cluster answers there"),
        connected("127.0.0.1:1"),
    ):
        pass


def test_a_task_that_fails_is_named_without_a_promise(ray_session):
    import ray

    @ray.remote
    def work():
        raise ValueError("3 is no colour")

    with (
        pytest.raises(GTCoderError, match=r"^a task failed: ValueError: 3 is no colour$"),
        connected(None, goes_on="the same command goes on"),
    ):
        ray.get(work.remote())


def test_a_lost_process_is_worth_the_same_command_where_that_goes_on(ray_session):
    import ray

    @ray.remote
    class Worker:
        def end(self):
            os._exit(1)

    for goes_on, ending in (("the same command goes on", r"; the same command goes on$"), ("", "")):
        with (
            pytest.raises(GTCoderError, match=rf"^Ray failed: ActorDiedError: .*{ending}") as told,
            connected(None, goes_on=goes_on),
        ):
            ray.get(Worker.remote().end.remote())
        assert "\n" not in str(told.value)


def test_a_ray_that_cannot_start_is_one_line(monkeypatch):
    def late(**_):
        raise Exception("The current node timed out during startup.\nSee the logs.")

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", late)
    with (
        pytest.raises(GTCoderError, match=r"^Ray could not start on this machine \(The current"),
        connected("local"),
    ):
        pass
