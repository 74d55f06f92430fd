"""Bodies of requests and responses: bounded, and known to have arrived.

Serve takes whatever a response yields at once, however slowly its client reads. But the proxy says
when the last byte is with the client, so a reservation can be held until then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.http.problems import ProblemError, full, unauthorized


class BodyLimit:
    """ASGI middleware that refuses larger bodies than allowed, and reads none of strangers."""

    def __init__(
        self, app: ASGIApp, limit: Callable[[], int], admits: Callable[[str | None], bool]
    ) -> None:
        self._app, self._limit, self._admits = app, limit, admits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body first, up to the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith("/v1/") and not self._admits(
            Headers(scope=scope).get("authorization")
        ):
            await unauthorized().response()(scope, receive, send)
            return
        messages, size, most = [], 0, self._limit()
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > most:
                detail = f"the body is over {most:,} bytes, which is the most allowed"
                answer = ProblemError(413, "Body is too large", detail).response()
                await answer(scope, receive, send)
                return
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        waiting = iter(messages)

        async def replayed() -> Message:
            return next(waiting, None) or await receive()

        await self._app(scope, replayed, send)


class InFlight:
    """Bytes that responses under way may hold."""

    def __init__(self, most: int, retry_after_s: int) -> None:
        self._left, self._retry_after_s = most, retry_after_s

    def reserve(self, size: int) -> "Reservation":
        """Room for a response.

        Raises:
            ProblemError: there is none (503).
        """
        if size > self._left:
            raise full("too much is on its way to clients", self._retry_after_s)
        self._left -= size
        return Reservation(self, size)

    def give_back(self, size: int) -> None:
        """Room that is free again."""
        self._left += size


class Reservation:
    """Room that is held until it is released, once."""

    def __init__(self, room: InFlight, size: int) -> None:
        self._room, self._size = room, size

    def release(self) -> None:
        """Give the room back."""
        self._room.give_back(self._size)
        self._size = 0


class Streamed:
    """A response that is sent while it is made, and ends when the client has it or is gone."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        headers: dict[str, str],
        stack: AsyncExitStack,
    ) -> None:
        self._chunks, self._stack = chunks, stack
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        self.status_code, self.background = 200, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body; whatever happens, free what it holds."""
        async with self._stack:
            gone = asyncio.create_task(_disconnected(receive))
            sending = asyncio.create_task(self._send(send))
            try:
                await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
                    await gone  # the proxy says so when the client has it all
            finally:
                for task in (sending, gone):
                    task.cancel()
                await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        start: dict[str, Any] = {"type": "http.response.start", "status": 200}
        await send(start | {"headers": self._headers})
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
