"""A model on S3 that is replaced under clients, by writers that are killed at any moment."""

import dataclasses
import random
import time

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


def test_no_request_fails_and_no_moment_has_no_model(
    deploy, sample, repeated, s3, bundle_path, tmp_path, command
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
    with repeated(ask, threads=8) as asked, repeated(load, threads=2) as loaded:
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
