"""Pages of other origins: none may call, but for those that the settings name."""

from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class NamedOrigins:
    """ASGI middleware that tells browsers whose pages may call."""

    def __init__(self, app: ASGIApp, origins: Callable[[], Sequence[str]]) -> None:
        self._inner, self._origins = app, origins
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what a browser asks beforehand, and mark what its page may read."""
        if scope["type"] != "http":  # such as the app's start, before there are settings
            await self._inner(scope, receive, send)
            return
        if self._app is None:
            self._app = self._inner
            if origins := self._origins():
                self._app = CORSMiddleware(
                    self._inner,
                    allow_origins=origins,
                    allow_methods=["GET", "HEAD", "POST", "DELETE"],
                    allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                    expose_headers=[
                        "GTCoder-Seed",
                        "GTCoder-Checksum",
                        "GTCoder-Warning",
                        "GTCoder-Filled",
                        "GTCoder-Broken",
                        "Retry-After",
                    ],
                )
        await self._app(scope, receive, send)
