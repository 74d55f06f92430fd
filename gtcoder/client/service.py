"""The service at the other end: what it refuses is an error, what may pass is asked again.

No call does harm when it comes twice: rows follow from a seed, batches have a key.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gtcoder.errors import GTCoderError, ServiceError

log = logging.getLogger("gtcoder.client")
"""Says, as warnings, what is asked for again and why."""

PATIENCE_S = 16.0
"""Of waiting between tries of one call, and of answers that never came."""
_LONGEST_WAIT_S = 30.0

T = TypeVar("T")


class LaterError(ServiceError):
    """The service is full, or a replica died at work: not its last word."""

    def __init__(self, reason: str, retry_after_s: float | None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Service:
    """Asks, and asks again."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        """Connect when first asked.

        Raises:
            GTCoderError: httpx is not installed.
        """
        try:
            import httpx
        except ImportError as error:
            raise GTCoderError('the client needs httpx: pip install "gtcoder[client]"') from error
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http: Any = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        self._answered = False

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """An answer in JSON."""
        answer: dict[str, Any] = self.answer(method, path, **options).json()
        return answer

    def answer(
        self, method: str, path: str, *, patience_s: float = PATIENCE_S, **options: Any
    ) -> Any:
        """The whole answer."""

        def ask() -> Any:
            return self._seen(self._http.request(method, path, **options))

        return self.tried(ask, patience_s)

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Iterator[Any]:
        """An answer that is yet to be read; asked for once."""
        with self._http.stream(method, path, **options) as answer:
            if answer.is_error:
                answer.read()
            yield self._seen(answer)

    def tried(self, ask: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
        """What asking gives, be it at the second time or later.

        Args:
            ask: calls the service.
            patience_s: seconds to wait between tries, all in all.

        Raises:
            ServiceError: the service refuses, or it cannot be reached.
        """
        import httpx

        left_s, wait_s = patience_s, 0.5
        while True:
            began = time.monotonic()
            try:
                return ask()
            except LaterError as error:
                reason, next_s = str(error), error.retry_after_s or wait_s
                failure: ServiceError = error
            except httpx.HTTPError as error:
                reason, next_s = f"the service does not answer ({error})", wait_s
                failure = ServiceError(f"{self._http.base_url}: {reason}; see that it runs there")
                if not (self._answered and isinstance(error, httpx.TransportError)):
                    raise failure from error
                if isinstance(error, httpx.TimeoutException):
                    left_s -= time.monotonic() - began
            if left_s < next_s:
                raise failure
            log.warning("%s; asking again in %g s", reason, next_s)
            time.sleep(next_s)
            left_s -= next_s
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _seen(self, answer: Any) -> Any:
        """An answer that is no error."""
        self._answered = True
        if not answer.is_error:
            return answer
        if _may_pass(answer):
            after_s = answer.headers.get("Retry-After")
            raise LaterError(_reason(answer), float(after_s) if after_s else None)
        raise ServiceError(_reason(answer))


def _may_pass(answer: Any) -> bool:
    """Whether an error is not the service's last word: it is full, or did not get to say one."""
    says = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    return answer.status_code == 503 or (answer.is_server_error and not says)


def _reason(answer: Any) -> str:
    try:
        problem = answer.json()
        return f"{problem['title']} ({problem['status']}): {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the service answered {answer.status_code}"
