"""A model on S3 that is replaced under clients, by writers that are killed at any moment."""

import dataclasses
import random
import threading
import time
from collections import Counter

import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import GTCoderError

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

WRITER = """
import sys
from itertools import cycle
from gtcoder.bundle import Bundle
place, *others = sys.argv[1:]
for bundle in cycle([Bundle.load(other) for other in others]):
    print("saving", flush=True)
    bundle.save(place, overwrite=True)
"""


class Repeated:
    """Does something over and over in threads, and counts what came of it."""

    def __init__(self, threads, what):
        self.gave, self._what, self._ended = Counter(), what, threading.Event()
        self._threads = [threading.Thread(target=self._do) for _ in range(threads)]

    def _do(self):
        while not self._ended.is_set():
            self.gave[self._what()] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_no_request_fails_and_no_moment_has_no_model(
    deploy, sample, s3, bundle_path, tmp_path, command
):
    place, seed = f"{s3}/models/replaced", time.time_ns()
    first = Bundle.load(bundle_path)
    second = dataclasses.replace(first, explanation={}, checksum="")
    second.save(tmp_path / "second")
    first.save(place)
    deploy(replaced=place)

    def ask():
        answer = sample("replaced", rows=50)
        return answer.status_code, answer.headers.get("GTCoder-Checksum")

    def load():
        try:
            return Bundle.load(place).checksum
        except GTCoderError as error:
            return str(error)

    both = {first.checksum, second.checksum}
    moments = random.Random(seed)
    with Repeated(8, ask) as asked, Repeated(2, load) as loaded:
        for _ in range(20):
            writer = command(place, bundle_path, tmp_path / "second", program=WRITER)
            for _ in range(moments.randint(1, 3)):  # the last of so many saves is cut off
                writer.stdout.readline()
            time.sleep(moments.uniform(0, 0.5))
            writer.kill()
            writer.wait()
    print("seed", seed, "requests", dict(asked.gave), "loads", dict(loaded.gave))
    assert set(asked.gave) == {(200, checksum) for checksum in both}
    assert set(loaded.gave) == both
    second.save(place, overwrite=True)
    assert Bundle.load(place).checksum == second.checksum
