"""`gtcoder submit`, `jobs` and `stop`: the same commands, as jobs on a cluster."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from gtcoder.progress import Reporter
from ray_jobs.cli.options import Dashboard


def submit(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(help="train, generate, evaluate or benchmark, and its options.")
    ],
    address: Dashboard = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print the job's log; end with its exit code.")
    ] = False,
    working_dir: Annotated[
        str | None,
        typer.Option(help="A folder of small files that the job takes along and starts in."),
    ] = None,
) -> None:
    """Run a command as a job on a Ray cluster."""
    from ray_jobs.submit import VERBS, submit

    verb, *arguments = command
    if verb in VERBS:
        _check(context.find_root(), [verb, *arguments])
    job = submit(verb, arguments, address, working_dir, Reporter())
    print(f"submitted {job}", flush=True)
    if follow:
        _follow(job, address)
    else:
        print(f"gtcoder jobs {job} prints its log, gtcoder stop {job} ends it")


def jobs(
    job: Annotated[str | None, typer.Argument(help="Follow this one's log to its end.")] = None,
    address: Dashboard = None,
) -> None:
    """List the jobs of a Ray cluster, or follow one."""
    from ray_jobs.jobs import Jobs

    if job is not None:
        _follow(job, address)
        return
    for each in Jobs.at(address).list():
        began = datetime.fromtimestamp(each.started_s or 0)
        print(f"{each.id}  {each.status:<9}  {began:%Y-%m-%d %H:%M}  {each.words}")


def stop(
    job: Annotated[str, typer.Argument(help="As `gtcoder jobs` lists it.")],
    address: Dashboard = None,
) -> None:
    """End a job on a Ray cluster."""
    from ray_jobs.jobs import Jobs

    stopped = Jobs.at(address).stop(job)
    print(f"{job} is told to stop" if stopped else f"{job} was not running")


def _follow(job: str, address: str | None) -> None:
    from ray_jobs.jobs import Jobs

    try:
        code = Jobs.at(address).follow(job)
    except KeyboardInterrupt:
        print(
            f"\n{job} goes on; gtcoder jobs {job} prints its log, gtcoder stop {job} ends it",
            file=sys.stderr,
        )
        raise
    if code:
        raise typer.Exit(code)


def _check(context: typer.Context, arguments: list[str]) -> None:
    """See that a command line is one, without running it.

    Raises:
        UsageError: it is not.
    """
    command: Any = context.command
    while hasattr(command, "resolve_command"):
        if not arguments:
            context.fail(f"{command.name} what? There are: {', '.join(command.commands)}")
        _, command, arguments = command.resolve_command(context, arguments)
    command.make_context(command.name, list(arguments), parent=context)
