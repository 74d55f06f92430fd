"""A replica's own HTTP server, for a service on one machine.

Behind Serve's proxy a request costs several times as much, and whatever a response yields is taken
at once; here a client that does not read holds its response up.
"""

import asyncio
import socket
from functools import partial

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.http.connections import KEPT_S, Connection, Connections
from serve.settings import Limits, Listen

STALLED_S = 3600.0
"""A client that has not taken its response by then is given up."""


class Listener:
    """Serves an app from now on, in the running event loop."""

    def __init__(self, app: ASGIApp, at: Listen, limits: Limits) -> None:
        self._app = app
        family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
        # Several replicas listen at one port, and the kernel spreads connections over them.
        listening = socket.create_server((at.host, at.port), family=family, reuse_port=True)
        connections = Connections(limits.connections, limits.head_s)
        config = uvicorn.Config(
            self._answer,
            http=partial(Connection, connections),  # type: ignore[arg-type]
            interface="asgi3",
            ws="none",
            lifespan="off",
            timeout_keep_alive=KEPT_S,
            access_log=False,
            log_config=None,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve([listening]))

    def check(self) -> None:
        """See that it still serves.

        Raises:
            RuntimeError: it does not.
        """
        if self._task.done():
            raise RuntimeError("the HTTP server has ended")

    async def close(self) -> None:
        """Take no more requests, and let those under way end."""
        self._server.should_exit = True
        await asyncio.wait([self._task])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"]["connection"]

        async def ending(message: Message) -> None:
            """An answer before the end of the body is the connection's last."""
            if message["type"] == "http.response.start" and connection.is_sending:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        with connection.answering(scope):
            async with asyncio.timeout(STALLED_S):
                await self._app(scope, receive, ending)
