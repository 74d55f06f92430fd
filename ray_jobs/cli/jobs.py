"""`gtcoder submit`, `jobs` and `stop`: the same commands, as jobs on a cluster."""

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from ray_jobs.cli.options import AsJson, Dashboard
from ray_jobs.cli.words import CommandReporter
from ray_jobs.stopping import leaving


def submit(
    context: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(
            help="train, generate, complete, score, evaluate, explain, inspect, drift or "
            "benchmark, and its options."
        ),
    ],
    address: Dashboard = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print the job's log; end with its exit code.")
    ] = False,
    working_dir: Annotated[
        str | None,
        typer.Option(help="A folder of small files that the job takes along and starts in."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, or NAME as it is here: a variable of the job; repeatable."),
    ] = None,
    runtime_env: Annotated[
        str | None, typer.Option(help="YAML or JSON file of Ray's settings: pip, env_vars, ….")
    ] = None,
    driver_cpus: Annotated[
        float,
        typer.Option(help="CPUs that the command's own process holds; 0: it runs on the head."),
    ] = 1.0,
) -> None:
    """Run a command as a job on a Ray cluster."""
    from ray_jobs.submit import VERBS, Submission, submit

    verb, *arguments = command
    if verb in VERBS:
        _check(context.find_root(), [verb, *arguments])
    asked = Submission(
        verb=verb,
        arguments=arguments,
        address=address,
        working_dir=working_dir,
        env=tuple(env or ()),
        runtime_env=runtime_env,
        driver_cpus=driver_cpus,
    )
    with leaving(lambda: "gtcoder jobs tells whether it was submitted"):
        job = submit(asked, CommandReporter())
    print(f"submitted {job}", flush=True)
    if follow:
        _follow(job, address)
    else:
        print(_told(job))


def jobs(
    job: Annotated[str | None, typer.Argument(help="Follow this one's log to its end.")] = None,
    address: Dashboard = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a Ray cluster, or follow one; with --json say how they stand."""
    from ray_jobs.jobs import Jobs

    known = Jobs.at(address)
    if as_json:
        found = (
            [each.to_dict() for each in known.list()] if job is None else known.get(job).to_dict()
        )
        print(json.dumps(found, ensure_ascii=False))
        return
    if job is not None:
        _follow(job, address)
        return
    for each in known.list():
        began = datetime.fromtimestamp(each.started_s or 0)
        status = f"{each.status:<9}  {began:%Y-%m-%d %H:%M}  {each.lasted:>8}"
        print(f"{each.id}  {status}  {each.words}")


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

    with leaving(lambda: f"{job} goes on; {_told(job)}"):
        code = Jobs.at(address).follow(job)
    if code:
        raise typer.Exit(code)


def _told(job: str) -> str:
    return f"gtcoder jobs {job} prints its log, gtcoder stop {job} ends it"


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
