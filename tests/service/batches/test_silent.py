"""A job server that takes connections and never answers."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ray_jobs.jobs import Jobs
from serve.batches.batches import Batches
from serve.http.problems import ProblemError
from serve.http.schemas import BatchWanted
from serve.registry import Model
from serve.settings import Limits

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def batches(tmp_path, free_port):
    with socket.create_server(("127.0.0.1", port := free_port()), backlog=100):
        yield Batches(str(tmp_path), Limits(), Jobs(f"http://127.0.0.1:{port}", answer_s=1))


def test_every_call_ends_in_seconds_and_says_what_to_do(batches, bundle_path):
    model = Model.load("claims", bundle_path)
    started = time.monotonic()

    def begin(number):
        with pytest.raises(
            ProblemError, match=r"job server does not answer; see that Ray|batches wait or run"
        ) as said:
            batches.start("me", model, BatchWanted(rows=5), f"key {number}", seed=1)
        return said.value.status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(begin, range(24))) == {503}
    assert time.monotonic() - started < 20
    (record, *_) = batches._records.active()
    with pytest.raises(ProblemError, match="does not answer"):
        batches.cancel("me", record.id)
    with pytest.raises(ProblemError, match="does not answer"):
        batches.list("me", 20, None)
