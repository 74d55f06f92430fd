"""A replica's own server, and the service whose replicas listen by it."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from serve.http.listener import Listener
from serve.settings import Limits

pytestmark = pytest.mark.timeout(120)
PIECE = b"x" * (1 << 16)


class Endless:
    """An app that answers until its client is gone or enough is sent."""

    def __init__(self, most=10_000):
        self.sent, self.most, self.began = 0, most, asyncio.Event()

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.began.set()
        while self.sent < self.most:
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            self.sent += 1
        await send({"type": "http.response.body", "body": b""})


async def ask(at):
    reader, writer = await asyncio.open_connection(at.host, at.port, limit=1 << 12)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return reader, writer


def test_a_client_that_does_not_read_holds_its_response_up(at):
    async def scene():
        app = Endless()
        listener = Listener(app, at, Limits())
        _, writer = await ask(at)
        seen = -1
        while app.sent > seen:  # the system's own buffers fill
            seen = app.sent
            await asyncio.sleep(0.5)
        writer.close()
        await listener.close()
        return seen

    assert 0 < asyncio.run(scene()) * len(PIECE) < 32 << 20


def test_what_is_under_way_when_it_closes_ends_well(at):
    async def scene():
        app = Endless(most=500)
        listener = Listener(app, at, Limits())
        listener.check()
        reader, _ = await ask(at)
        await app.began.wait()
        closing = asyncio.create_task(listener.close())
        body = await reader.read(-1)
        await closing
        with pytest.raises(OSError, match="failed"):
            await ask(at)
        with pytest.raises(RuntimeError, match="ended"):
            listener.check()
        return body

    body = asyncio.run(scene())
    assert body.count(b"x") >= 500 * len(PIECE)
    assert body.endswith(b"0\r\n\r\n")


def test_another_listens_before_the_first_is_gone(at):
    async def scene():
        first = Listener(Endless(1), at, Limits())
        second = Listener(Endless(1), at, Limits())
        await first.close()
        reader, _ = await ask(at)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 200")
        await second.close()

    asyncio.run(scene())


def ask_service(at, rows=2):
    """The rows of one request over a connection of its own; None if it could not be answered."""
    url = f"http://{at.host}:{at.port}/v1/models/claims/sample"
    try:
        return len(httpx.post(url, json={"rows": rows}, timeout=60).json())
    except httpx.TransportError:
        return None


@pytest.mark.slow
def test_replicas_share_a_port_and_one_that_is_killed_comes_again(
    at, service, replicas_below, wait_until
):
    process = service("--replicas=2")

    def replicas():
        return replicas_below(process.pid)

    before = replicas()
    assert len(before) == 2
    assert ask_service(at) == 2
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: ask_service(at) == 2, 5)  # the other goes on, before a new one is there
    assert [ask_service(at) for _ in range(20)] == [2] * 20
    wait_until(lambda: len(now := replicas()) == 2 and now != before)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.slow
def test_what_is_under_way_when_a_service_is_stopped_ends_well(at, service):
    process = service("--replicas=2")
    with ThreadPoolExecutor() as pool:
        under_way = [pool.submit(ask_service, at, 500_000) for _ in range(4)]
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert [one.result() for one in under_way] == [500_000] * 4
    assert process.wait(60) == 0
    assert ask_service(at) is None
