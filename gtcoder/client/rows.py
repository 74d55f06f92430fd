"""Rows from the service: a stream that breaks goes on where it broke, parts come at once.

All are of one bundle: if it is replaced meanwhile, they are asked for anew.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pyarrow as pa

from gtcoder.client.service import Service, log
from gtcoder.errors import ServiceError

_ACCEPT = {"Accept": "application/vnd.apache.arrow.stream"}
_WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Replicas take some seconds until all of them have found a new bundle."""


class _ReplacedError(Exception):
    """Rows came of two bundles."""


def drawn(
    service: Service, path: str, body: dict[str, Any], rows: range, parallel: int
) -> pa.Table:
    """Rows of a stream.

    Args:
        service: that draws them.
        path: of the call.
        body: of the call, with a seed, but for which rows it is to be.
        rows: their numbers in the seed's stream.
        parallel: in so many parts, each over a connection of its own.

    Raises:
        ServiceError: the service refuses, or it cannot be reached.
    """
    for wait_s in (*_WAITS_S, None):
        seen: set[str] = set()
        parts = [_Part(service, path, body, each, seen) for each in _cut(rows, parallel)]
        try:
            with ThreadPoolExecutor(len(parts)) as pool:
                return pa.concat_tables(pool.map(_Part.read, parts))
        except _ReplacedError:
            if wait_s is None:
                break
            log.warning("the bundle was replaced; asking for all rows again in %g s", wait_s)
            time.sleep(wait_s)
    raise ServiceError("the bundle was replaced again and again while rows were read; ask later")


class _Part:
    """Some of the rows, as far as they have come."""

    def __init__(
        self, service: Service, path: str, body: dict[str, Any], rows: range, seen: set[str]
    ) -> None:
        self._service, self._path, self._body = service, path, body
        self._wanted = self._left = rows
        self._seen = seen
        """Checksums of the bundles that rows came of, shared by all parts."""
        self._came: list[pa.Table] = []

    def read(self) -> pa.Table:
        """All of them."""
        while not self._came or self._left:
            self._service.tried(self._go_on)
        return pa.concat_tables(self._came)

    def _go_on(self) -> None:
        """Ask for what is left, and keep what comes."""
        import httpx

        content = bytearray()
        try:
            self._receive(content)
        except httpx.TransportError as error:
            if not self._keep(content):
                raise
            here, all_rows = len(self._wanted) - len(self._left), len(self._wanted)
            log.warning("the connection broke after %d of %d rows (%s)", here, all_rows, error)
        else:
            self._keep(content)
            if self._left:
                raise ServiceError("the service sent fewer rows than were asked for")

    def _receive(self, content: bytearray) -> None:
        """Add to the content what comes of an answer."""
        body = self._body | {"rows": len(self._left)}
        if self._left.start:
            body["offset"] = self._left.start
        with self._service.stream("POST", self._path, json=body, headers=_ACCEPT) as answer:
            self._seen.add(answer.headers.get("GTCoder-Checksum", ""))
            if len(self._seen) > 1:
                raise _ReplacedError
            for chunk in answer.iter_bytes():
                content += chunk

    def _keep(self, content: bytearray) -> bool:
        """Keep the rows that came whole; whether there are any."""
        table = _whole(content)
        if table is None:
            return False
        self._came.append(table)
        self._left = self._left[len(table) :]
        return True


def _whole(content: bytearray) -> pa.Table | None:
    """The rows in the beginning of a stream, as far as it has whole batches; None without any."""
    batches = []
    try:
        reader = pa.ipc.open_stream(pa.py_buffer(content))
        while True:
            batches.append(reader.read_next_batch())
    except (StopIteration, pa.ArrowException, OSError):  # it ends, or breaks off
        return pa.Table.from_batches(batches) if batches else None


def _cut(rows: range, parts: int) -> list[range]:
    """The same in so many parts, or as many as there are rows."""
    parts = max(min(parts, len(rows)), 1)
    edges = [len(rows) * number // parts for number in range(parts + 1)]
    return [rows[begin:end] for begin, end in pairwise(edges)]
