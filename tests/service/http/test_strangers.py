"""Clients without a key, or with bad manners: what they cost the others is bounded."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from serve.http.door import Door, Room
from serve.http.listener import Listener
from serve.settings import Limits, Listen

pytestmark = pytest.mark.timeout(60)
KEYED = b"Authorization: Bearer key\r\n"
LIMITS = Limits(head_s=0.5, body_s=0.5, connections=4, body_bytes=1 << 20)


async def echo(scope, receive, send):
    body = (await receive())["body"]
    await PlainTextResponse(f"{len(body)} bytes")(scope, receive, send)


class Service:
    """A listener with a door, for clients that speak plain HTTP."""

    def __init__(self, at, room):
        self.at, self.room = at, room

    async def connected(self):
        return await asyncio.open_connection(self.at.host, self.at.port)

    async def ask(self, head, body=b"", *, connection=None):
        """The status, and the connection."""
        reader, writer = connection or await self.connected()
        writer.write(head + b"\r\n" + body)
        return await self.status(reader), (reader, writer)

    @staticmethod
    async def status(reader):
        answer = await reader.readuntil(b"\r\n\r\n")
        size = int(answer.lower().split(b"content-length:")[1].split()[0])
        await reader.readexactly(size)
        return int(answer.split()[1])


def post(size, more=b"", path=b"/v1/x"):
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s" % (path, size, more)


GET = b"GET /v1/x HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def listening(free_port):
    at, room = Listen(host="127.0.0.1", port=free_port()), Room("requests", 2, 1)
    known = {"Bearer key": "me"}

    def owner(scope):
        return known.get(Headers(scope=scope).get("authorization"))

    door = Door(echo, lambda: LIMITS, owner, lambda path: room.place())
    listener = Listener(door, at, LIMITS)
    yield Service(at, room)
    await listener.close()


@pytest.fixture
def scene(free_port):
    """Runs what happens at a listener."""

    def run(play):
        async def whole():
            async with listening(free_port) as service:
                await play(service)

        asyncio.run(whole())

    return run


async def ends(reader, within_s):
    started = time.monotonic()
    try:
        rest = await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        rest = b""
    assert time.monotonic() - started < within_s
    return rest


def test_who_says_nothing_or_never_ends_a_head_is_gone_in_time(scene):
    async def play(service):
        silent, silent_writer = await service.connected()
        reader, writer = await service.connected()
        writer.write(b"GET / HTTP/1.1\r\n")

        async def dribble():
            while not writer.is_closing():
                writer.write(b"a")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        assert await ends(silent, 3) == b""
        assert await ends(reader, 3) == b""
        dribbling.cancel()
        silent_writer.close()
        writer.close()

    scene(play)


def test_a_known_client_may_rest_but_not_dribble(scene):
    async def play(service):
        status, connection = await service.ask(GET + KEYED)
        assert status == 200
        await asyncio.sleep(1.0)
        status, (reader, writer) = await service.ask(GET + KEYED, connection=connection)
        assert status == 200
        writer.write(b"G")
        assert await ends(reader, 3) == b""
        writer.close()

    scene(play)


def test_nothing_of_a_strangers_body_is_waited_for_and_its_answer_is_read(scene):
    async def play(service):
        for path in (b"/v1/x", b"/nowhere"):
            status, (_, writer) = await service.ask(post(4 << 20, path=path))
            assert status == 401
            writer.close()
        status, (_, writer) = await service.ask(post(4 << 20, path=b"/healthz"))
        assert status == 200
        writer.close()
        reader, writer = await service.connected()
        writer.write(post(8 << 20) + b"\r\n" + b"x" * (8 << 20))  # whoever sends first, reads later
        await writer.drain()
        assert await service.status(reader) == 401
        assert await ends(reader, 3) == b""
        writer.close()

    scene(play)


def test_a_body_that_is_late_or_too_large_is_refused(scene):
    async def play(service):
        status, (_, late) = await service.ask(post(100, KEYED), b"x")
        assert status == 408
        status, (_, large) = await service.ask(post(2 << 20, KEYED), b"x" * (2 << 20))
        assert status == 413
        status, (_, right) = await service.ask(post(1 << 19, KEYED), b"x" * (1 << 19))
        assert status == 200
        for writer in (late, large, right):
            writer.close()

    scene(play)


def test_requests_are_counted_before_their_bodies_are_read(scene):
    async def play(service):
        waiting = [asyncio.create_task(service.ask(post(100, KEYED))) for _ in range(2)]
        await asyncio.sleep(0.2)
        status, (_, writer) = await service.ask(post(100, KEYED))
        assert status == 503
        writer.close()
        for each in await asyncio.gather(*waiting):
            assert each[0] == 408
            each[1][1].close()

    scene(play)


def test_strangers_make_room_for_who_comes_later(scene):
    async def play(service):
        status, known = await service.ask(GET + KEYED)
        strangers = [await service.connected() for _ in range(6)]
        assert await ends(strangers[0][0], 0.3) == b""
        status, _ = await service.ask(GET + KEYED, connection=known)
        assert status == 200
        status, late = await service.ask(GET + KEYED)
        assert status == 200
        for _, writer in (known, late, *strangers):
            writer.close()

    scene(play)


def test_a_head_without_an_end_is_refused(scene):
    async def play(service):
        reader, writer = await service.connected()
        writer.write(GET + b"X: " + b"x" * (1 << 20))
        assert b"400 Bad Request" in await reader.read(-1)
        writer.close()

    scene(play)
