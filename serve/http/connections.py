"""Connections of a listener: only so many, and strangers have seconds to say what they want.

A stranger is who has shown no key on a connection. For the last comer the one goes that has been
idle longest, a stranger first, so that whoever has a key gets through.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.http.door import OWNER

KEPT_S = 120
"""A known client's idle connection is kept for longer than clients keep theirs, so that none is
closed just when it is used again."""
_LINGER_S = 2.0
"""So long a client that is still sending can read its answer."""
_HEAD_BYTES = 32 << 10


class Connections:
    """Those of a listener."""

    def __init__(self, most: int, head_s: float) -> None:
        self.head_s, self._most = head_s, most
        self._all: set[Connection] = set()
        self._idle: tuple[dict[Connection, None], ...] = ({}, {})
        """Strangers' and others', the longest idle first."""

    def add(self, connection: "Connection") -> None:
        """Take one in; if there are too many, another goes."""
        if len(self._all) >= self._most:
            strangers, known = self._idle
            leaving = next(iter(strangers or known or [connection]))
            self.discard(leaving)  # at once: several may come before its end is heard of
            leaving.abort()
        self._all.add(connection)

    def discard(self, connection: "Connection") -> None:
        """Forget one that has ended."""
        self._all.discard(connection)
        self.busy(connection)

    def busy(self, connection: "Connection") -> None:
        """This one is being answered."""
        for idle in self._idle:
            idle.pop(connection, None)

    def idle(self, connection: "Connection", *, known: bool) -> None:
        """This one may have to go."""
        self._idle[known][connection] = None


class Connection(HttpToolsProtocol):
    """One of them."""

    def __init__(self, others: Connections, *, app_state: dict[str, Any], **given: Any) -> None:
        super().__init__(app_state={**app_state, "connection": self}, **given)
        self._others = others
        self._is_known = self._is_answered = self._is_leaving = False
        self._in_body = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    @contextmanager
    def answering(self, scope: Scope) -> Iterator[None]:
        """While a request is answered; one with a key makes its client known."""
        self._is_answered = True
        self._others.busy(self)
        self._within(None)
        try:
            yield
        finally:
            self._is_answered = False
            self._is_known = self._is_known or OWNER in scope["state"]
            if not self._is_leaving:
                self._rest()

    @property
    def is_sending(self) -> bool:
        """Whether the request's body is still coming."""
        return self._in_body

    def abort(self) -> None:
        """End at once, whatever the client has not read."""
        self.transport.abort()

    def leave(self) -> None:
        """Drop what still comes, and end soon."""
        self._is_leaving = True
        self._within(_LINGER_S)

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(_Lingering(transport, self))
        self._others.add(self)
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Read on, but no headers without an end."""
        if self._is_leaving:
            return
        if not self._in_body:
            self._head_bytes += len(data)
            if self._deadline is None and not self._is_answered:
                self._within(self._others.head_s)
        super().data_received(data)
        if self._head_bytes > _HEAD_BYTES and not self._in_body:
            self._in_body = True  # or what follows
            self.send_400_response(f"The request's head is over {_HEAD_BYTES:,} bytes.")

    def on_headers_complete(self) -> None:
        """Have the request answered."""
        self._head_bytes, self._in_body = 0, True
        self._within(None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next."""
        self._in_body = False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._is_leaving = True
        self._within(None)
        self._others.discard(self)
        super().connection_lost(exc)

    def _rest(self) -> None:
        """Wait for a request: uvicorn itself ends a known client's connection after `KEPT_S`."""
        self._others.idle(self, known=self._is_known)
        if self._head_bytes or not self._is_known:
            self._within(self._others.head_s)

    def _within(self, seconds: float | None) -> None:
        """End unless something happens by then."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.abort)


class _Lingering:
    """A transport whose client, if it is still sending, can read the last answer before the end.

    Else what comes after the end makes the client's system forget what it has not read.
    """

    def __init__(self, transport: Any, connection: Connection) -> None:
        self._transport, self._connection = transport, connection
        self._ending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._ending or bool(self._transport.is_closing())

    def close(self) -> None:
        """End, once what was written is sent."""
        if self.is_closing() or not self._connection.is_sending:
            self._transport.close()
            return
        self._ending = True
        self._connection.leave()
        self._transport.write_eof()
        self._transport.resume_reading()
