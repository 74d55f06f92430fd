"""Bodies of responses: bounded, and known to have arrived.

Serve takes whatever a response yields at once, however slowly its client reads. But the proxy says
when the last byte is with the client, so a reservation can be held until then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from starlette.types import Receive, Scope, Send

from serve.http.problems import full


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
