"""The paper's experiments as one job: every (data set, method, seed) a task with its own cores.

Results are appended as they come, so the same command goes on where an earlier one stopped; tables
and figures are made from the results alone.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gtcoder.errors import ConfigError
from gtcoder.paper.datasets import DATASETS, load
from gtcoder.paper.simulated import SIMULATED
from gtcoder.progress import Reporter, Stage, counted
from gtcoder.table.files import is_local
from ray_jobs.cluster.connection import connected, first_line
from ray_jobs.cluster.waiting import wait_for
from ray_jobs.paper.experiment import Experiment, run_experiment
from ray_jobs.paper.figures import write_figures
from ray_jobs.paper.methods import ABLATIONS, OURS, TITLES
from ray_jobs.paper.results import Results
from ray_jobs.paper.tables import write_tables

ABLATED = ("ionosphere", "mushroom", "maternal_health_risk")
"""Data sets of Table 3."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperRequest:
    """What the user asked for."""

    out: str
    datasets: Sequence[str] = ()
    """Empty for all."""
    methods: Sequence[str] = ()
    """Empty for all."""
    seeds: Sequence[int] = (0, 1, 2)
    epochs: int | None = None
    """For all methods alike; None for the rule's, by the rows of each table."""
    data: str | None = None
    address: str | None = None
    num_cpus: int = 1
    """Of each task."""
    retry_failed: bool = False

    def __post_init__(self) -> None:
        for option, asked, known in (
            ("--datasets", self.datasets, [*DATASETS, *SIMULATED]),
            ("--methods", self.methods, list(TITLES)),
        ):
            odd = next((name for name in asked if name not in known), None)
            if odd is not None:
                raise ConfigError(f"{option} {odd!r}: there are {', '.join(known)}")
        for option, value in (("--epochs", self.epochs), ("--num-cpus", self.num_cpus)):
            if value is not None and value < 1:
                raise ConfigError(f"{option} must be at least 1, not {value}")
        if not self.seeds or min(self.seeds) < 0:
            raise ConfigError("--seeds: expected numbers from 0 on, such as 0,1,2")

    def experiments(self) -> list[Experiment]:
        """Every one asked for, those of one data set together; ablations follow our methods."""
        methods = list(self.methods) or list(TITLES)
        found = []
        for dataset in self.datasets or [*DATASETS, *SIMULATED]:
            names = [m for m in methods if m != "identity" or dataset not in SIMULATED]
            if dataset in ABLATED:
                ours = [name for name in methods if name in OURS]
                names += [each.of(name) for name in ours for each in ABLATIONS[:-1]]
            found += [Experiment(dataset, name, seed) for name in names for seed in self.seeds]
        return found


def run_paper(request: PaperRequest, reporter: Reporter) -> None:
    """Run what is not in the results yet, and write tables and figures.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    if not is_local(request.out):
        raise ConfigError(
            f"--out {request.out}: results are added line by line; give a folder of this machine"
        )
    folder = Path(request.out).absolute()
    results = Results.open(folder, request.epochs)
    wanted = request.experiments()
    failed = {} if request.retry_failed else results.failed()
    done = {key for key, line in results.found.items() if "error" not in line}
    todo = [each for each in wanted if each not in done and each not in failed]
    if len(todo) < len(wanted):
        reporter.note(f"{len(wanted) - len(todo):,} of {len(wanted):,} experiments are there")
    if todo:
        _run(request, todo, results, reporter)
    write_tables(results)
    write_figures(results)
    for key, said in sorted(results.failed().items()):
        reporter.warn(f"{key.dataset}, {key.method}, seed {key.seed}: {said}")
    if results.failed():
        reporter.warn("what failed is tried again with --retry-failed")
    reporter.result(
        f"{counted(len(todo), 'experiment')} run now, {len(results.found):,} in the results; "
        f"{folder / 'tables.md'}"
    )


def _run(
    request: PaperRequest, todo: Sequence[Experiment], results: Results, reporter: Reporter
) -> None:
    names = {each.dataset for each in todo} - set(SIMULATED)
    tables = {name: load(name, request.data) for name in sorted(names)}
    with ExitStack() as stack:
        with reporter.stage("start"):
            cluster = stack.enter_context(
                connected(request.address, goes_on="the same command goes on where it stopped")
            )
            wait_for(cluster, {"CPU": request.num_cpus}, reporter)
        with reporter.stage("experiments") as stage:
            for done, (experiment, found) in enumerate(_answers(request, todo, tables), 1):
                results.append(experiment, found)
                _show(stage, experiment, done, len(todo))


def _show(stage: Stage, last: Experiment, done: int, of: int) -> None:
    stage.update(done / of, f"{done} of {of}: {last.dataset}, {last.method}, seed {last.seed}")


def _answers(
    request: PaperRequest, todo: Sequence[Experiment], tables: Mapping[str, pa.Table]
) -> Iterator[tuple[Experiment, dict[str, Any]]]:
    """Each experiment's result or error, in the order they end."""
    import ray

    there = {name: ray.put(table) for name, table in tables.items()}
    task = ray.remote(num_cpus=request.num_cpus, max_retries=1)(guarded_experiment)
    waiting = {
        task.remote(each, there.get(each.dataset), request.epochs, request.num_cpus): each
        for each in todo
    }
    while waiting:
        (ended, *_), _ = ray.wait(list(waiting))
        experiment = waiting.pop(ended)
        try:
            yield experiment, ray.get(ended)
        except ray.exceptions.RayError as error:  # its process died: memory, or a lost machine
            yield experiment, {"error": first_line(error)}


def guarded_experiment(
    experiment: Experiment, table: pa.Table | None, epochs: int | None, num_cpus: int
) -> dict[str, Any]:
    """Run in a worker on its own cores; whatever goes wrong becomes one line of the results."""
    import torch

    torch.set_num_threads(num_cpus)
    os.environ["LOKY_MAX_CPU_COUNT"] = str(num_cpus)
    try:
        return run_experiment(experiment, table, epochs)
    except Exception as error:  # one method's failure is a result, and stops no other
        return {"error": f"{type(error).__name__}: {first_line(error)}"}
