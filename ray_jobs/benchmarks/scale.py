"""What encoding, training and generating cost: by workers, by rows, and for a billion rows.

The tables are made by the generation job from a bundle, so they are real in shape. Each measurement
is a process of its own with a Ray of its own, so that no peak of memory is another's.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from gtcoder.bundle import Bundle
from gtcoder.config import epochs_for, learned_rows
from gtcoder.errors import ConfigError, GTCoderError, OutputError
from gtcoder.progress import Reporter, counted
from gtcoder.table.files import absolute, is_local, write_bytes
from ray_jobs.cluster.connection import connected
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.train import TrainRequest, run_training

PLANNED_ROWS = 1_000_000_000
PLANNED_NODES = (1, 8, 64)
NODE_CPUS = 16
"""Of the machines that a plan is made for."""
_REQUEST = "_request.json"
_BATCH_ROWS, _STEP_ROWS = 2_048, 64
"""A batch of so large a table, and the least that a worker gets of it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one job took."""

    rows: int
    workers: int
    seconds: dict[str, float]
    """Of each stage."""
    span_s: dict[str, float]
    """Of each, from the first row's work to the last's."""
    busy_s: dict[str, float]
    """Of each stage's workers, added up over all of them."""
    trained_rows: int
    """Over all epochs."""
    peak_bytes: dict[str, int]
    """The most memory that one process of each role had."""
    object_store_bytes: int
    """The most that Ray's object store held."""

    def speed(self, stage: str) -> float:
        """Rows a second while there is work on rows."""
        rows = self.trained_rows if stage == "train" else self.rows
        return rows / max(self.span_s[stage], 1e-3)

    @property
    def ray_share(self) -> float:
        """Share of a job's time in which its workers do not work: they start, wait, are ended."""
        return 1 - sum(self.busy_s.values()) / self.workers / sum(self.seconds.values())


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
    if not is_local(folder):
        raise ConfigError(f"--out {folder}: expected a folder of this machine, for its tables")
    place = Path(absolute(folder))
    place.mkdir(parents=True, exist_ok=True)
    _same_as_before(place, bundle, train_s)
    costs: dict[tuple[str, int, int], Cost] = {}
    runs = _runs(sizes, worker_counts, os.cpu_count() or 1)
    for rows, workers in runs:
        for what in ("generate", "train"):
            cost = _measured(place, what, absolute(bundle), rows, workers, train_s)
            costs[what, rows, workers] = cost
            reporter.result(_line(what, cost))
        shutil.rmtree(_table(place, rows, workers), ignore_errors=True)
    for line in plan(costs["train", *runs[-1]], costs["generate", *runs[-1]]):
        reporter.result(line)


def _runs(sizes: Sequence[int], worker_counts: Sequence[int], cores: int) -> list[tuple[int, int]]:
    """Rows and workers: the smallest table by all of them, every other by as many as have a core.

    The last is what a plan is made from.
    """
    real = max((count for count in worker_counts if count <= cores), default=min(worker_counts))
    smallest, *larger = sorted(set(sizes))
    counts = sorted(set(worker_counts), key=lambda count: (count == real, count))
    return [*((smallest, count) for count in counts), *((rows, real) for rows in larger)]


def _same_as_before(place: Path, bundle: str, train_s: float) -> None:
    """See that what is kept in the folder was measured of the same thing."""
    asked = {"bundle": Bundle.load(bundle).checksum, "train_s": train_s}
    kept = place / _REQUEST
    if kept.exists() and json.loads(kept.read_text()) != asked:
        raise OutputError(
            f"{place} holds measurements of another bundle or --train-time; choose another --out"
        )
    write_bytes(kept, json.dumps(asked).encode())


def plan(train: Cost, generate: Cost) -> list[str]:
    """A line for every number of nodes: hours of each stage for `PLANNED_ROWS`.

    Sketching, encoding and generation are divided among all CPUs. The time of a training is that of
    the passes over the rows that are learned, and more machines only help as far as a batch can be
    shared (`_STEP_ROWS` each).
    """
    lines = [f"{PLANNED_ROWS:,} rows on nodes of {NODE_CPUS} CPUs, hours:"]
    for nodes in PLANNED_NODES:
        cpus = nodes * NODE_CPUS
        hours = {
            stage: PLANNED_ROWS / (cost.speed(stage) / cost.workers * cpus) / 3600
            for stage, cost in (("sketch", train), ("encode", train), ("generate", generate))
        }
        sharing = min(cpus, _BATCH_ROWS // _STEP_ROWS)
        learned = learned_rows(PLANNED_ROWS)
        seen = learned * epochs_for(learned)
        hours["train"] = seen / (train.speed("train") / train.workers * sharing) / 3600
        first = max(hours, key=lambda stage: hours[stage])
        each = ", ".join(f"{stage} {value:.3g}" for stage, value in hours.items())
        lines.append(f"{nodes:>4} nodes: {each}; first bottleneck: {first}")
    return lines


def _line(what: str, cost: Cost) -> str:
    stages = ["generate"] if what == "generate" else ["sketch", "encode", "train"]
    each = ", ".join(
        f"{stage} {cost.speed(stage):,.0f} rows/s "
        f"({1e6 / max(cost.speed(stage), 1e-9):.2f} µs a row)"
        for stage in stages
    )
    peaks = ", ".join(f"{role} {peak / 1e6:,.0f}" for role, peak in cost.peak_bytes.items())
    return (
        f"{cost.rows:>12,} rows, {counted(cost.workers, 'worker')}: {each}; peak memory, MB: "
        f"{peaks}; of the object store {cost.object_store_bytes / 1e6:,.1f}; "
        f"{sum(cost.seconds.values()):,.0f} s in all, {cost.ray_share:.0%} of it Ray's own"
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
        command = [sys.executable, "-m", "ray_jobs.benchmarks.scale", *told]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            raise GTCoderError(
                f"the measurement {kept.stem} failed (why, stands above); the same command goes on"
            )
    return Cost(**json.loads(kept.read_text()))


def _measure(
    what: str, bundle: str, table: str, kept: str, rows: int, workers: int, train_s: float
) -> None:
    """Make one measurement in this process, with as many CPUs as workers, be they real or not."""
    reporter = Reporter(quiet=True)
    started = time.monotonic()
    with connected("local", cpus=workers), _Watch() as watch:
        start_s = time.monotonic() - started
        if what == "generate":
            run_generation(
                GenerateRequest(bundle=bundle, rows=rows, out=table, num_workers=workers), reporter
            )
            trained_rows = 0
        else:
            out = f"{kept}.bundle"
            request = TrainRequest(
                table=table, out=out, num_workers=workers, max_time_s=train_s, overwrite=True
            )
            run_training(request, reporter)
            info = Bundle.load(out).info
            trained_rows = info["trained_rows"]
            reporter.span_s["train"] = info["train_s"]
            reporter.busy_s["train"] = info["train_s"] * workers
            shutil.rmtree(out)
    reporter.seconds["start"] += start_s
    cost = Cost(
        rows=rows,
        workers=workers,
        seconds=reporter.seconds,
        span_s=reporter.span_s,
        busy_s=reporter.busy_s,
        trained_rows=trained_rows,
        peak_bytes=watch.peak_bytes,
        object_store_bytes=watch.object_store_bytes,
    )
    write_bytes(kept, json.dumps(asdict(cost)).encode())


class _Watch:
    """Watches the memory of this process and of all below it, and what Ray's object store holds."""

    def __init__(self) -> None:
        self.object_store_bytes = 0
        self._peaks: dict[int, tuple[str, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak_bytes(self) -> dict[str, int]:
        """The most memory that one process of each role had."""
        peaks: dict[str, int] = {}
        for role, peak in self._peaks.values():
            peaks[role] = max(peaks.get(role, 0), peak)
        return dict(sorted(peaks.items()))

    def _watch(self) -> None:
        import ray

        kind = "object_store_memory"
        total = ray.cluster_resources().get(kind, 0)
        while not self._ended.wait(0.5):
            used = total - ray.available_resources().get(kind, total)
            self.object_store_bytes = max(self.object_store_bytes, int(used))
            for pid, title, peak in _processes(os.getpid()):
                known, most = self._peaks.get(pid, (_OTHERS, 0))
                role = next((role for word, role in _ROLES.items() if word in title), known)
                role = "driver" if pid == os.getpid() else role
                self._peaks[pid] = role, max(most, peak)


_OTHERS = "Ray's services"
_ROLES = {"RayTrainWorker": "training", "ShardWriter": "generation", "MapBatches": "passes"}
"""What a worker does, by a word in the title that Ray gives its process while it does it."""


def _processes(top: int) -> Iterator[tuple[int, str, int]]:
    """Id, title and peak memory of a process and of all below it."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, title = (folder / "status").read_text(), (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        parent = re.search(r"PPid:\s+(\d+)", status)
        if peak and parent:
            parents[int(folder.name)] = int(parent[1])
            found[int(folder.name)] = title.decode(errors="replace"), int(peak[1]) * 1024
    for pid, (title, most) in found.items():
        if top in _line_of(pid, parents):
            yield pid, title, most


def _line_of(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    """A process, its parent, its parent's, and so on."""
    while pid:
        yield pid
        pid = parents.get(pid, 0)


if __name__ == "__main__":
    what, bundle, table, kept, rows, workers, train_s = sys.argv[1:]
    try:
        _measure(what, bundle, table, kept, int(rows), int(workers), float(train_s))
    except GTCoderError as error:
        sys.exit(f"error: {error}")
