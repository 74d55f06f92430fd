"""Answers as Prometheus sees them, by model; Ray exports them on each node's metrics port."""

from collections.abc import Callable, Sequence

from ray.serve import metrics
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestMetrics:
    """Of a replica."""

    def __init__(self) -> None:
        self._requests = metrics.Counter(
            "gtcoder_requests", "Requests answered.", ("model", "call", "status")
        )

    def saw(self, model: str, call: str, status: int) -> None:
        """A request was answered."""
        self._requests.inc(1, {"model": model, "call": call, "status": str(status)})


class CountedAnswers:
    """ASGI middleware that counts answers by model, call and status."""

    def __init__(
        self, app: ASGIApp, routes: Sequence[BaseRoute], saw: Callable[[str, str, int], None]
    ) -> None:
        self._app, self._routes, self._saw = app, routes, saw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the status go by."""

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._saw(*self._called(scope), message["status"])
            await send(message)

        await self._app(scope, receive, seen if scope["type"] == "http" else send)

    def _called(self, scope: Scope) -> tuple[str, str]:
        """Model and call; what was refused at the door has not been through the routes."""
        if "route" not in scope:
            found = (route.matches(scope) for route in self._routes)
            scope = {**scope, **next((more for match, more in found if match is Match.FULL), {})}
        name = getattr(scope.get("route"), "name", "none")
        return scope.get("path_params", {}).get("model", ""), name
