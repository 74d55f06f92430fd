"""`gtcoder benchmark serve`: requests and rows a second over real HTTP, beside the library's own.

Clients speak plain HTTP over asyncio, so that they take as little of the machine as can be. Each
replica has a core of its own, the last ones first; clients run on any.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Annotated

import typer

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import BLOCK_ROWS, Sampler
from ray_jobs.cli.options import count_of
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
    rows: Annotated[str, typer.Option(help="Rows of each large request.")] = "1_000_000",
    replicas: Annotated[
        list[int] | None, typer.Option(help="Replicas, on a core each; repeatable; 1 and 2.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="A condition; repeatable: small requests take one each, in turn."),
    ] = None,
) -> None:
    """Requests/s and latency for 1, 8 and 64 clients, and rows/s of large streams."""
    name, large = next(iter(named([bundle], []))), count_of(rows, "--rows")
    alone = _library(bundle)
    print(f"{alone:>12,.0f} rows/s  the library, one thread, no HTTP", flush=True)
    best = {}
    for number in sorted(replicas or [1, 2]):
        with _service(bundle, number) as address:
            words = f"{number} replica{'s' if number > 1 else ''}"
            best[number] = _small(address, name, seconds, words, where or [])
            for streams in sorted({1, number}):
                speed = _large(address, name, large, streams)
                print(
                    f"{speed:>12,.0f} rows/s  {streams} × {large:,} rows as Arrow, {words}: "
                    f"{speed / alone:.2f} of the library's",
                    flush=True,
                )
    with _service(bundle, 1, "--no-batching") as address:
        load = asyncio.run(clients(address, name, 64, seconds, where=where or []))
        print(load.line(f"{ROWS} rows each, 1 replica, one by one"), flush=True)
    least, *more = best
    together = best[least] * load.seconds / load.requests
    print(f"decoding together: {together:.1f} times the requests/s")
    for number in more:
        print(f"{number} replicas: {best[number] / best[least]:.2f} times those of {least}")


def _small(
    address: tuple[str, int], model: str, seconds: float, words: str, where: Sequence[str]
) -> float:
    """Requests a second of 64 clients, told with those of fewer."""
    asyncio.run(clients(address, model, 8, 2.0, where=where))
    for number in (1, 8, 64):
        load = asyncio.run(clients(address, model, number, seconds, where=where))
        print(load.line(f"{ROWS} rows each, {words}"), flush=True)
    return load.requests / load.seconds


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
def _service(bundle: str, replicas: int, *options: str) -> Iterator[tuple[str, int]]:
    """A service in a process of its own, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serve", bundle, "--port", str(port)]
    command += ["--replicas", str(replicas), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start; try `gtcoder serve` alone")
            time.sleep(0.5)
        _pin(process.pid)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait()


def _pin(service: int) -> None:
    """Give each replica of a service, with all its threads, a core of its own."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}
    named_so = [int(pid) for pid, _, title in rows if "ServeReplica:gtcoder:" in title]
    replicas = [pid for pid in named_so if service in _above(pid, parents)]
    cores = cycle(sorted(os.sched_getaffinity(0), reverse=True))
    for pid, core in zip(replicas, cores, strict=False):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def _above(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid in parents:
        pid = parents[pid]
        yield pid


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def clients(
    address: tuple[str, int],
    model: str,
    number: int,
    seconds: float,
    media: str = "*/*",
    where: Sequence[str] = (),
) -> Load:
    """So many clients at once, each with one request after another, under conditions in turn."""
    latencies: list[float] = []
    seeds, until = count(), time.perf_counter() + seconds
    failed = 0

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(*address)
        while time.perf_counter() < until:
            started = time.perf_counter()
            seed = next(seeds)
            asked = where[seed % len(where)] if where else None
            writer.write(_request(model, ROWS, seed, media, asked))
            status = await _read(reader)
            failed += status != 200
            latencies.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(number)))
    took = time.perf_counter() - started
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Load(number, len(latencies), took, p50, p99, failed)


def _large(address: tuple[str, int], model: str, rows: int, number: int) -> float:
    """Rows a second of several large responses at once."""

    async def all_of_them() -> None:
        await asyncio.gather(*(_stream(address, model, rows) for _ in range(number)))

    started = time.perf_counter()
    asyncio.run(all_of_them())
    return number * rows / (time.perf_counter() - started)


async def _stream(address: tuple[str, int], model: str, rows: int) -> None:
    """One large response."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(_request(model, rows, 0, ARROW))
    status = await _read(reader)
    writer.close()
    if status != 200:
        raise RuntimeError(f"the service answered {status}")


def _request(model: str, rows: int, seed: int, media: str, where: str | None = None) -> bytes:
    conditions = {"where": [where]} if where else {}
    body = json.dumps({"rows": rows, "seed": seed, **conditions}).encode()
    head = (
        f"POST /v1/models/{model}/sample HTTP/1.1\r\nHost: localhost\r\nAccept: {media}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _read(reader: asyncio.StreamReader) -> int:
    """A whole response, and its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"content-length:" in head:
        size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        return status
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()
    return status


if __name__ == "__main__":
    typer.run(benchmark)
