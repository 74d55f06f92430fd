"""A bulk batch on the service: begun, waited for, read."""

import io
import sys
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from gtcoder.client.service import PATIENCE_S, Service
from gtcoder.errors import ServiceError

_LOOK_S = 1.0
_SILENT_S = 900.0
"""A service that does not answer for so long is not waited for any more."""


class BulkBatch:
    """A bulk batch on the service."""

    def __init__(self, service: Service, state: dict[str, Any], key: str | None = None) -> None:
        self._service, self.state = service, state
        self.idempotency_key = key
        """By which `start_batch` goes on with it after a failure; None if found by its id."""

    @property
    def id(self) -> str:
        """What it is found by again."""
        return str(self.state["id"])

    def refresh(self) -> dict[str, Any]:
        """How far it is now."""
        return self._look()

    def wait(self, *, progress: bool = False, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until it has ended, through connections that break and a service that starts again.

        Args:
            progress: say on standard error how far it is.
            timeout_s: seconds to wait at most.

        Raises:
            ServiceError: it failed or was cancelled, time is up, or the service has not answered
                for a quarter of an hour.
        """
        until = time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
        while self.state["state"] in ("queued", "running"):
            left_s = until - time.monotonic()
            if left_s < 0:
                raise ServiceError(f"batch {self.id} has not ended after {timeout_s} s")
            time.sleep(_LOOK_S)
            self._look(min(left_s, _SILENT_S))
            if progress:
                print(_progress(self.state), end="\r", file=sys.stderr, flush=True)
        if progress:
            print(file=sys.stderr)
        if self.state["state"] != "succeeded":
            raise ServiceError(f"batch {self.id} {self.state['state']}: {self.state['message']}")
        return self.state

    def cancel(self) -> dict[str, Any]:
        """Stop it."""
        self.state = self._service.json("DELETE", f"/v1/batches/{self.id}")
        return self.state

    def _look(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        path = f"/v1/batches/{self.id}"
        self.state = self._service.json("GET", path, patience_s=patience_s)
        return self.state

    def download(self, name: str) -> pa.Table:
        """One of its files as an Arrow table."""
        import pyarrow.parquet as pq

        path = f"/v1/batches/{self.id}/files/{name}"
        content = self._service.answer("GET", path, follow_redirects=True).content
        return pq.read_table(io.BytesIO(content))


def _progress(state: Mapping[str, Any]) -> str:
    share = state["rows_written"] / max(state["rows"], 1)
    left = state["seconds_left"]
    ending = f", {left:.0f} s left" if left is not None else ""
    return f"{state['state']}: {share:.0%}, {state['rows_written']:,} rows{ending}    "
