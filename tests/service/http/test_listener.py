"""The ingress replica's own server, and the service that listens by it."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from serve.http.listener import Listener
from serve.settings import Listen

pytestmark = pytest.mark.timeout(120)
PIECE = b"x" * (1 << 16)


@pytest.fixture
def at(free_port):
    return Listen(host="127.0.0.1", port=free_port())


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
        listener = Listener(app, at)
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
        listener = Listener(app, at)
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
        first = Listener(Endless(1), at)
        second = Listener(Endless(1), at)
        await first.close()
        reader, _ = await ask(at)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 200")
        await second.close()

    asyncio.run(scene())


def descendant(pid, name):
    """The one process below another that is called so."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    parents = {int(row[0]): int(row[1]) for row in rows}

    def below(one):
        return one == pid or (one in parents and below(parents[one]))

    (found,) = (int(row[0]) for row in rows if name in row[-1] and below(int(row[0])))
    return found


@pytest.mark.slow
def test_a_service_whose_ingress_is_killed_answers_again(at, bundle_path):
    command = [sys.executable, "-m", "serve", f"--name=claims={bundle_path}", f"--port={at.port}"]
    url = f"http://{at.host}:{at.port}"

    def answers():
        try:
            rows = httpx.post(f"{url}/v1/models/claims/sample", json={"rows": 2}, timeout=10)
        except httpx.TransportError:
            return False
        return rows.status_code == 200 and len(rows.json()) == 2

    def until_it_answers(service):
        deadline = time.monotonic() + 50
        while not answers():
            assert service.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert any(line.startswith("Ctrl-C") for line in service.stdout)
        until_it_answers(service)
        ingress = descendant(service.pid, "ServeReplica:gtcoder:Ingress")
        os.kill(ingress, signal.SIGKILL)
        until_it_answers(service)
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
