"""Answers as Prometheus sees them, by model; Ray exports them on each node's metrics port."""

from collections.abc import Callable

from ray.serve import metrics
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

    def __init__(self, app: ASGIApp, saw: Callable[[str, str, int], None]) -> None:
        self._app, self._saw = app, saw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the status go by; what was called is known when the routes have been through."""

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "name", "none")
                model = scope.get("path_params", {}).get("model", "")
                self._saw(model, route, message["status"])
            await send(message)

        await self._app(scope, receive, seen if scope["type"] == "http" else send)
