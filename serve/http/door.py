"""Who comes in: strangers are answered by their headers alone, and who has a key is counted first.

Then a body is read whole, within bounds of size and time.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.http.pages import BELOW
from serve.http.problems import ProblemError, full, unauthorized
from serve.settings import Limits

OPEN = ("/", "/healthz", "/docs", "/openapi.json")
"""Paths that need no key, as those of the page's files; of a request for one no body is read."""
OWNER = "owner"
"""Where a request's state has the owner of its key."""


class Room:
    """Requests that may be at work at once."""

    def __init__(self, what: str, most: int, retry_after_s: int) -> None:
        self._what, self._most, self._retry_after_s = what, most, retry_after_s
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be one of them.

        Raises:
            ProblemError: there are too many (503).
        """
        if self._taken >= self._most:
            raise full(f"{self._taken} {self._what} are at work", self._retry_after_s)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class Door:
    """ASGI middleware that lets in whoever has a key, as long as there is room."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Callable[[], Limits],
        owner: Callable[[Scope], str | None],
        place: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._app, self._limits, self._owner, self._place = app, limits, owner, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in OPEN or path.startswith(BELOW):
            await self._app(scope, _replay([], receive), send)
            return
        try:
            owner = self._owner(scope)
            if owner is None:
                raise unauthorized()
            scope.setdefault("state", {})[OWNER] = owner
            with self._place(path):
                body = await self._read(receive)
                await self._app(scope, _replay(body, receive), send)
        except ProblemError as error:  # the app answers its own
            await error.response()(scope, receive, send)

    async def _read(self, receive: Receive) -> list[Message]:
        """The body.

        Raises:
            ProblemError: it is too large (413) or does not come (408).
        """
        limits = self._limits()
        messages, size = [], 0
        try:
            async with asyncio.timeout(limits.body_s):
                while True:
                    message = await receive()
                    messages.append(message)
                    size += len(message.get("body", b""))
                    if size > limits.body_bytes:
                        most = f"{limits.body_bytes:,} bytes, which is the most allowed"
                        raise ProblemError(413, "Body is too large", f"the body is over {most}")
                    if message["type"] != "http.request" or not message.get("more_body"):
                        return messages
        except TimeoutError:
            detail = f"the body was not there after {limits.body_s:g} s; send it faster"
            raise ProblemError(408, "Body is late", detail) from None


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """What gives messages that were read, and then only says when the client is gone."""
    nothing: Message = {"type": "http.request", "body": b"", "more_body": False}
    waiting = iter(messages or [nothing])

    async def replayed() -> Message:
        if (message := next(waiting, None)) is not None:
            return message
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return replayed
