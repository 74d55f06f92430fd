"""`gtcoder benchmark serve`: requests and rows a second over real HTTP, beside the library's own.

Clients speak plain HTTP over asyncio, so that they take as little of the machine as can be.
"""

import asyncio
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Annotated

import typer

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import BLOCK_ROWS, Sampler
from serve.formats import ARROW
from serve.settings import named

ROWS = 100
"""Rows of each small request."""
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What clients saw."""

    clients: int
    requests: int
    seconds: float
    p50_s: float
    p99_s: float
    errors: int

    def line(self, words: str) -> str:
        """In words."""
        return (
            f"{self.clients:>4} clients  {self.requests / self.seconds:>7,.0f} requests/s  "
            f"p50 {self.p50_s * 1e3:>7,.1f} ms  p99 {self.p99_s * 1e3:>7,.1f} ms  "
            f"{self.errors} errors  {words}"
        )


def benchmark(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    seconds: Annotated[float, typer.Option(help="Of each load.")] = 10.0,
    rows: Annotated[int, typer.Option(help="Rows of the one large request.")] = 1_000_000,
) -> None:
    """Requests/s and latency for 1, 8 and 64 clients, and rows/s of one large stream."""
    name = next(iter(named([bundle], [])))
    alone = _library(bundle)
    print(f"{alone:>12,.0f} rows/s  the library, one thread, no HTTP", flush=True)
    best = {}
    for together in (True, False):
        with _service(bundle, together=together) as address:
            words = "decoded together" if together else "one by one"
            asyncio.run(clients(address, name, 8, 2.0))
            for number in (1, 8, 64) if together else (64,):
                load = asyncio.run(clients(address, name, number, seconds))
                best[together, number] = load.requests / load.seconds
                print(load.line(f"{ROWS} rows each, {words}"), flush=True)
            if together:
                started = time.perf_counter()
                size = asyncio.run(_stream(address, name, rows))
                speed = rows / (time.perf_counter() - started)
                print(
                    f"{speed:>12,.0f} rows/s  one client, {rows:,} rows as Arrow "
                    f"({size / 1e6:,.0f} MB): {speed / alone:.2f} of the library's",
                    flush=True,
                )
    print(f"decoding together: {best[True, 64] / best[False, 64]:.1f} times the requests/s")


def _library(bundle: str) -> float:
    import torch

    torch.set_num_threads(1)
    loaded = Bundle.load(bundle)
    sampler = Sampler(loaded.model(), loaded.codec)
    sampler.rows(0, 0, BLOCK_ROWS)
    started = time.perf_counter()
    for block in range(16):
        sampler.rows(0, block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
    return 16 * BLOCK_ROWS / (time.perf_counter() - started)


@contextmanager
def _service(bundle: str, *, together: bool) -> Iterator[tuple[str, int]]:
    """A service in a process of its own, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    batching = "--batching" if together else "--no-batching"
    command = [sys.executable, "-m", "serve", bundle, "--port", str(port), batching]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start; try `gtcoder serve` alone")
            time.sleep(0.5)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def clients(
    address: tuple[str, int], model: str, number: int, seconds: float, media: str = "*/*"
) -> Load:
    """So many clients at once, each with one request after another."""
    latencies: list[float] = []
    seeds, until = count(), time.perf_counter() + seconds
    failed = 0

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(*address)
        while time.perf_counter() < until:
            started = time.perf_counter()
            writer.write(_request(model, ROWS, next(seeds), media))
            status, _ = await _read(reader)
            failed += status != 200
            latencies.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(number)))
    took = time.perf_counter() - started
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Load(number, len(latencies), took, p50, p99, failed)


async def _stream(address: tuple[str, int], model: str, rows: int) -> int:
    """The bytes of one large response."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(_request(model, rows, 0, ARROW))
    status, size = await _read(reader)
    writer.close()
    if status != 200:
        raise RuntimeError(f"the service answered {status}")
    return size


def _request(model: str, rows: int, seed: int, media: str) -> bytes:
    body = b'{"rows":%d,"seed":%d}' % (rows, seed)
    head = (
        f"POST /v1/models/{model}/sample HTTP/1.1\r\nHost: localhost\r\nAccept: {media}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Status and bytes of a response."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"content-length:" in head:
        size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        return status, size
    total = 0
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
        total += size
    await reader.readline()
    return status, total


if __name__ == "__main__":
    typer.run(benchmark)
