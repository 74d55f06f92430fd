"""What encoding, training and generating cost: by workers, by rows, and for a billion rows.

The tables are made by the generation job from a bundle, so they are real in shape. Each measurement
is a process of its own with a Ray of its own, so that no peak of memory is another's.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from gtcoder.bundle import Bundle
from gtcoder.files import absolute, write_bytes
from ray_jobs.cluster import connected
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.progress import Reporter
from ray_jobs.train import TrainRequest, run_training

PLANNED_ROWS = 1_000_000_000
PLANNED_NODES = (1, 8, 64)
NODE_CPUS = 16
"""Of the machines that a plan is made for."""
_BATCH_ROWS, _STEP_ROWS = 2_048, 64
"""A batch of so large a table, and the least that a worker gets of it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one job took."""

    rows: int
    workers: int
    seconds: dict[str, float]
    """Of each stage."""
    trained_rows: int
    """Over all epochs."""
    trained_s: float
    """Within the workers' own loop."""
    peak_bytes: int
    """The most memory one process had."""
    object_store_bytes: int
    """The most that Ray's object store held."""

    def speed(self, stage: str) -> float:
        """Rows a second."""
        if stage == "train":
            return self.trained_rows / max(self.trained_s, 1e-3)
        return self.rows / max(self.seconds[stage], 1e-3)

    @property
    def ray_share(self) -> float:
        """Share of a job's time in which Ray starts, and starts workers, rather than works."""
        total = sum(self.seconds.values())
        idle = self.seconds["start"] + max(0.0, self.seconds.get("train", 0) - self.trained_s)
        return idle / total if self.trained_s else self.seconds["start"] / total


def benchmark_scale(
    bundle: str,
    folder: str,
    sizes: Sequence[int],
    worker_counts: Sequence[int],
    train_s: float,
    reporter: Reporter,
) -> None:
    """Measure, and plan a billion rows from it; every measurement is kept in the folder.

    A measurement that is there is not made again, so a benchmark that was stopped goes on.
    """
    place = Path(absolute(folder))
    place.mkdir(parents=True, exist_ok=True)
    costs: dict[tuple[str, int, int], Cost] = {}
    runs = [(min(sizes), count) for count in worker_counts]
    runs += [(rows, max(worker_counts)) for rows in sizes if (rows, max(worker_counts)) not in runs]
    for rows, workers in runs:
        for what in ("generate", "train"):
            cost = _measured(place, what, absolute(bundle), rows, workers, train_s)
            costs[what, rows, workers] = cost
            reporter.result(_line(what, cost))
        shutil.rmtree(_table(place, rows, workers), ignore_errors=True)
    best = max(runs)
    for line in plan(costs["train", *best], costs["generate", *best]):
        reporter.result(line)


def plan(train: Cost, generate: Cost) -> list[str]:
    """A line for every number of nodes: hours of each stage for `PLANNED_ROWS`.

    Sketching, encoding and generation are divided among all CPUs. A training's row presentations
    grow with the cube root of the rows, so its time is what those take with the workers measured,
    and more machines only help as far as a batch can be shared (`_STEP_ROWS` each).
    """
    lines = [f"{PLANNED_ROWS:,} rows on nodes of {NODE_CPUS} CPUs, hours:"]
    for nodes in PLANNED_NODES:
        cpus = nodes * NODE_CPUS
        hours = {
            stage: PLANNED_ROWS / (cost.speed(stage) / cost.workers * cpus) / 3600
            for stage, cost in (("sketch", train), ("encode", train), ("generate", generate))
        }
        presented = 800_000 * (PLANNED_ROWS / 32_561) ** (1 / 3)
        sharing = min(cpus, _BATCH_ROWS // _STEP_ROWS)
        seen = max(presented, PLANNED_ROWS)
        hours["train"] = seen / (train.speed("train") / train.workers * sharing) / 3600
        first = max(hours, key=lambda stage: hours[stage])
        each = ", ".join(f"{stage} {value:.2f}" for stage, value in hours.items())
        lines.append(f"{nodes:>4} nodes: {each}; first bottleneck: {first}")
    return lines


def _line(what: str, cost: Cost) -> str:
    stages = ["generate"] if what == "generate" else ["sketch", "encode", "train"]
    each = ", ".join(
        f"{stage} {cost.speed(stage):,.0f} rows/s "
        f"({1e6 / max(cost.speed(stage), 1e-9):.2f} µs a row)"
        for stage in stages
    )
    return (
        f"{cost.rows:>12,} rows, {cost.workers} workers: {each}; peak memory of a process "
        f"{cost.peak_bytes / 1e6:,.0f} MB, of the object store "
        f"{cost.object_store_bytes / 1e6:,.0f} MB; {cost.ray_share:.0%} of the time Ray's own"
    )


def _table(place: Path, rows: int, workers: int) -> Path:
    return place / f"rows-{rows}-by-{workers}"


def _measured(place: Path, what: str, bundle: str, rows: int, workers: int, train_s: float) -> Cost:
    """A measurement: as it was kept, or made now in a process of its own."""
    kept = place / f"{what}-{rows}-by-{workers}.json"
    table = _table(place, rows, workers)
    needed = what == "generate" and not (place / f"train-{rows}-by-{workers}.json").exists()
    if not kept.exists() or (needed and not table.exists()):
        told = [what, bundle, str(table), str(kept), str(rows), str(workers), str(train_s)]
        command = [sys.executable, "-m", "ray_jobs.benchmark_scale", *told]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return Cost(**json.loads(kept.read_text()))


def _measure(
    what: str, bundle: str, table: str, kept: str, rows: int, workers: int, train_s: float
) -> None:
    """Make one measurement in this process, with as many CPUs as workers, be they real or not."""
    reporter = Reporter(quiet=True)
    started = time.monotonic()
    with connected("local", cpus=workers), _Store() as store:
        start_s = time.monotonic() - started
        if what == "generate":
            run_generation(
                GenerateRequest(bundle=bundle, rows=rows, out=table, num_workers=workers), reporter
            )
            info: dict[str, Any] = {"trained_rows": 0, "train_s": 0.0}
        else:
            out = f"{kept}.bundle"
            request = TrainRequest(
                table=table, out=out, num_workers=workers, max_time_s=train_s, overwrite=True
            )
            run_training(request, reporter)
            info = dict(Bundle.load(out).info)
            shutil.rmtree(out)
    reporter.seconds["start"] += start_s
    cost = Cost(
        rows=rows,
        workers=workers,
        seconds=reporter.seconds,
        trained_rows=info["trained_rows"],
        trained_s=info["train_s"],
        peak_bytes=reporter.peak_bytes,
        object_store_bytes=store.peak_bytes,
    )
    write_bytes(kept, json.dumps(asdict(cost)).encode())


class _Store:
    """Watches how much Ray's object store holds."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        import ray

        kind = "object_store_memory"
        total = ray.cluster_resources().get(kind, 0)
        while not self._ended.wait(0.5):
            used = total - ray.available_resources().get(kind, total)
            self.peak_bytes = max(self.peak_bytes, int(used))


if __name__ == "__main__":
    what, bundle, table, kept, rows, workers, train_s = sys.argv[1:]
    _measure(what, bundle, table, kept, int(rows), int(workers), float(train_s))
