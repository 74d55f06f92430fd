"""A minute of 64 clients of several kinds, kept alive and not: each answer is whole and right."""

import asyncio
import json
import random
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice

import aiohttp
import httpx
import pyarrow as pa
import pytest

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import Sampler

SECONDS = 60.0
WANTED = [(1, 0), (100, 1), (300, 2), (1_000, 3), (20_000, 4)]
"""Rows and seeds."""
HEADERS = {"Accept": "application/vnd.apache.arrow.stream", "Content-Type": "application/json"}


def body(wanted):
    rows, seed = wanted
    return json.dumps({"rows": rows, "seed": seed})


class Clients:
    """What they ask, and how that went."""

    def __init__(self, at, answers):
        self.url = f"http://{at.host}:{at.port}/v1/models/claims/sample"
        self.saw, self._answers = Counter(), answers
        self._until = time.monotonic() + SECONDS

    def asks(self):
        while time.monotonic() < self._until:
            yield random.choice(WANTED)

    @staticmethod
    def pause_s():
        """Now and then as long as many clients and servers keep an idle connection."""
        return random.uniform(4.9, 5.1) if random.random() < 0.05 else random.uniform(0, 0.2)

    def see(self, kind, wanted, content):
        self.saw[kind, content == self._answers[wanted]] += 1

    def httpx(self, shared):
        for wanted in self.asks():
            with nullcontext(shared) if shared else httpx.Client(timeout=60) as client:
                answer = client.post(self.url, content=body(wanted), headers=HEADERS)
            self.see("httpx", wanted, answer.content)
            time.sleep(self.pause_s())

    def curl(self, folder, calls):
        """So many calls over one connection."""
        headers = [word for pair in HEADERS.items() for word in ("-H", ": ".join(pair))]
        asks = self.asks()
        while several := list(islice(asks, calls)):
            command = ["curl", "-sS", "--fail"]
            for number, wanted in enumerate(several):
                command += ["--next"] if number else []
                command += [*headers, "-d", body(wanted), "-o", folder / str(number), self.url]
            subprocess.run(command, check=True, timeout=60)
            for number, wanted in enumerate(several):
                self.see("curl", wanted, (folder / str(number)).read_bytes())
            time.sleep(self.pause_s())

    async def aiohttp(self, number, *, closing):
        connector = aiohttp.TCPConnector(force_close=closing)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

            async def client():
                for wanted in self.asks():
                    async with session.post(self.url, data=body(wanted)) as answer:
                        self.see("aiohttp", wanted, await answer.read())
                    await asyncio.sleep(self.pause_s())

            await asyncio.gather(*(client() for _ in range(number)))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_connection_is_reset_and_no_row_is_wrong(at, service, bundle_path, tmp_path):
    service("--replicas=2")
    bundle = Bundle.load(bundle_path)
    sampler = Sampler(bundle.model(), bundle.codec)
    answers, url = {}, Clients(at, {}).url
    for rows, seed in WANTED:
        answer = httpx.post(url, content=body((rows, seed)), headers=HEADERS, timeout=60).content
        assert pa.ipc.open_stream(answer).read_all().equals(sampler.rows(seed, 0, rows))
        answers[rows, seed] = answer
    clients = Clients(at, answers)
    with ThreadPoolExecutor(64) as pool, httpx.Client(timeout=60) as shared:
        under_way = [pool.submit(clients.httpx, one) for one in [shared] * 24 + [None] * 8]
        for number in range(12):
            (tmp_path / str(number)).mkdir()
            calls = 5 if number % 2 else 1
            under_way.append(pool.submit(clients.curl, tmp_path / str(number), calls))
        for closing in (False, True):
            under_way.append(pool.submit(asyncio.run, clients.aiohttp(10, closing=closing)))
        for one in under_way:
            one.result()
    assert set(clients.saw) == {(kind, True) for kind in ("httpx", "curl", "aiohttp")}, clients.saw
