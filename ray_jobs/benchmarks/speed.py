"""How fast GTCoder and the baselines learn and draw the same table, one after the other.

Each method has a process of its own, so its peak of memory is its own too.
"""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from gtcoder.config import batch_rows_for, validation_share
from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter, peak_bytes
from gtcoder.synthesizer import Synthesizer
from gtcoder.table.locate import locate
from ray_jobs.paper.methods import BASELINES, OURS, TITLES, make


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedRequest:
    """What the user asked for."""

    table: str
    methods: Sequence[str] = ()
    """Empty for all."""
    epochs: int = 3
    rows: int = 100_000
    """To draw."""
    threads: int = 1

    def __post_init__(self) -> None:
        known = (*OURS, *BASELINES)
        odd = next((name for name in self.methods if name not in known), None)
        if odd is not None:
            raise ConfigError(f"--methods {odd!r}: there are {', '.join(known)}")
        for name in ("epochs", "rows", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """What one method took."""

    fit: float
    """Rows a second through the training loop, over all epochs; the codec is not in it."""
    draw: float
    """Rows a second."""
    peak_bytes: int
    """Of its process, the table and the libraries included."""
    fit_s: float
    """The whole fit: codec, loop, and what a method does at its end."""


def benchmark_speed(request: SpeedRequest, reporter: Reporter) -> None:
    """Time every method, and print a table with GTCoder's ratio to each.

    Raises:
        GTCoderError: there is no such table, or a method cannot learn it.
    """
    located = locate(request.table)
    spawn = multiprocessing.get_context("spawn")
    found: dict[str, Speed] = {}
    for name in request.methods or (*reversed(OURS), *BASELINES):
        with reporter.stage(name), spawn.Pool(1) as process:
            found[name] = process.apply(measure, (name, request))
    count = sum(len(batch) for batch in located.batches())
    reporter.result(
        f"{count:,} rows, {len(located.schema)} columns; {request.epochs} passes, batches of "
        f"{batch_rows_for(count)}, {request.rows:,} rows drawn, {request.threads} thread(s)"
    )
    for line in speed_lines(found):
        reporter.result(line)


def measure(name: str, request: SpeedRequest) -> Speed:
    """Time one method in this process."""
    import torch

    torch.set_num_threads(request.threads)
    table = pa.concat_tables(list(locate(request.table).batches()))
    method = make(name, epochs=request.epochs, seed=0, batch_rows=batch_rows_for(len(table)))
    started = time.perf_counter()
    method.fit(table)
    fit_s = time.perf_counter() - started
    method.sample(1)  # what is loaded at the first draw is no part of the speed
    started = time.perf_counter()
    method.sample(request.rows, seed=1)
    draw_s = time.perf_counter() - started
    return Speed(
        fit=_rows_trained(method, len(table)),
        draw=request.rows / draw_s,
        peak_bytes=peak_bytes(),
        fit_s=fit_s,
    )


def _rows_trained(method: object, rows: int) -> float:
    """Rows a second through a fitted method's training loop."""
    if isinstance(method, Synthesizer):
        last = method.bundle.history[-1]
        trained = rows * (1 - validation_share(rows))
        return float(trained * last["epoch"] / last["elapsed_s"])
    return float(rows * method.epochs_done / method.loop_s)  # type: ignore[attr-defined]


def speed_lines(found: dict[str, Speed]) -> list[str]:
    """A table; where GTCoder's default is among them, its ratio to each in brackets."""
    ours = found.get("gtcoder")
    lines = [
        "| method | fit, rows/s | draw, rows/s | peak memory, MB | whole fit, s |",
        "|---|---|---|---|---|",
    ]
    for name, speed in found.items():
        cells = [
            _cell(speed.fit, ours and ours.fit),
            _cell(speed.draw, ours and ours.draw),
            _cell(speed.peak_bytes / 1e6, ours and ours.peak_bytes / 1e6),
            _cell(speed.fit_s, ours and ours.fit_s),
        ]
        lines.append(f"| {TITLES[name]} | " + " | ".join(cells) + " |")
    if ours:
        lines.append("(×) GTCoder's figure divided by the method's.")
    return lines


def _cell(value: float, ours: float | None) -> str:
    ratio = "" if ours is None else f" (×{ours / value:.2f})"
    return (f"{value:,.0f}" if value >= 100 else f"{value:.1f}") + ratio
