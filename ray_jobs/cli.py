"""The `gtcoder` command: parse, call the job, print what went wrong in one line.

The jobs are imported within the commands, so that `--help` is quick and Ray is only loaded once
its environment is set.
"""

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gtcoder.errors import ConfigError, GTCoderError
from ray_jobs.progress import Reporter

app = typer.Typer(
    name="gtcoder",
    help="Learn a generator from a table, and write any number of synthetic rows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_SECONDS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

_Address = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster, e.g. auto; omitted, Ray starts in this process."),
]
_Workers = Annotated[
    int | None, typer.Option(help="Workers; omitted, what suits the machines there are.")
]
_Dashboard = Annotated[
    str | None, typer.Option(help="The cluster's dashboard, e.g. http://head:8265.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]


def duration_s(text: str) -> float:
    """Seconds in `90s`, `5m`, `1.5h` or a bare number of seconds.

    Raises:
        ConfigError: it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise ConfigError(f"--max-time {text!r}: expected a time such as 90s, 5m or 1.5h")
    return float(match[1]) * _SECONDS[match[2]]


@app.command()
def train(
    table: Annotated[str, typer.Argument(help="Path, folder, glob or URI of Parquet or CSV.")],
    out: Annotated[str, typer.Option(help="Where the bundle goes: a new folder or s3:// URI.")],
    preset: Annotated[str, typer.Option(help="Rules for model and training: default, paper.")] = (
        "default"
    ),
    schema: Annotated[
        str | None,
        typer.Option(help='JSON file of kinds: {"columns": {"zip": {"kind": "categorical"}}}.'),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows, at most.")] = None,
    max_time: Annotated[
        str | None, typer.Option(help="End the training after so long: 90s, 5m, 2h.")
    ] = None,
    num_workers: _Workers = None,
    use_gpu: Annotated[bool, typer.Option("--use-gpu", help="One GPU for each worker.")] = False,
    seed: Annotated[int, typer.Option(help="Makes the training repeatable.")] = 0,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Share of rows held out to decide when to stop.")
    ] = None,
    on_bad_file: Annotated[
        str, typer.Option(help="A damaged file, or one unlike most: fail, or skip and count it.")
    ] = "fail",
    address: _Address = None,
    storage: Annotated[
        str | None, typer.Option(help="Folder or URI for checkpoints; omitted, beside --out.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with this training if it was interrupted.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a bundle that is there.")
    ] = False,
    quiet: _Quiet = False,
) -> None:
    """Learn a table and write a bundle."""
    from ray_jobs.train import TrainRequest, run_training

    request = TrainRequest(
        table=table,
        out=out,
        preset=preset,
        schema=_read_schema(schema),
        exclude=tuple(exclude or ()),
        epochs=epochs,
        max_time_s=duration_s(max_time) if max_time else None,
        num_workers=num_workers,
        use_gpu=use_gpu,
        seed=seed,
        validation_fraction=validation_fraction,
        on_bad_file=on_bad_file,
        address=address,
        storage=storage,
        resume=resume,
        overwrite=overwrite,
    )
    run_training(request, Reporter(quiet=quiet))


@app.command()
def generate(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    rows: Annotated[str, typer.Option(help="How many rows, e.g. 1000000 or 1_000_000.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// URI for the Parquet files.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    rows_per_file: Annotated[
        str | None, typer.Option(help="Rows of a file; omitted, at most about 1,000,000.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="A condition all rows meet: column=value, age>=65, day=2013-06-01..2013-06-30, "
            'or JSON such as {"sex": ["Female", "Male"]}; repeatable.'
        ),
    ] = None,
    checksum: Annotated[
        str | None, typer.Option(help="Of the bundle that is meant; refuse any other.")
    ] = None,
    num_workers: _Workers = None,
    address: _Address = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the rows of another request.")
    ] = False,
    quiet: _Quiet = False,
) -> None:
    """Write synthetic rows as Parquet; after a crash the same command goes on."""
    from ray_jobs.generate import GenerateRequest, run_generation

    request = GenerateRequest(
        bundle=bundle,
        rows=_count(rows, "--rows"),
        out=out,
        seed=seed,
        rows_per_file=_count(rows_per_file, "--rows-per-file") if rows_per_file else None,
        where=tuple(where or ()),
        checksum=checksum,
        num_workers=num_workers,
        address=address,
        overwrite=overwrite,
    )
    run_generation(request, Reporter(quiet=quiet))


@app.command()
def explain(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    out: Annotated[str, typer.Option(help="Folder or URI for contributions.json and the picture.")],
    quiet: _Quiet = False,
) -> None:
    """Write which columns drive what was learned, as JSON and a heat map."""
    from ray_jobs.explain import run_explanation

    run_explanation(bundle, out, Reporter(quiet=quiet))


@app.command("evaluate")
def evaluate_table(
    real: Annotated[str, typer.Option(help="The table that the generator was trained on.")],
    synthetic: Annotated[str, typer.Option(help="The generated table.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// URI for report.json and report.html.")],
    holdout: Annotated[
        str | None,
        typer.Option(help="Real rows that were not trained on; omitted, split off --real."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column to predict; omitted, no utility is measured.")
    ] = None,
    rows: Annotated[str, typer.Option(help="Rows of each table to sample, at most.")] = "50_000",
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 0,
    schema: Annotated[
        str | None, typer.Option(help="JSON file of kinds, the same as for training.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column not to compare; repeatable.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that is there.")
    ] = False,
    quiet: _Quiet = False,
) -> None:
    """Measure a synthetic table against the real one: likeness, use, leaks."""
    from gtcoder.evaluation.evaluate import Request
    from ray_jobs.evaluate import run_evaluation

    request = Request(
        real=real,
        synthetic=synthetic,
        holdout=holdout,
        target=target,
        rows=_count(rows, "--rows"),
        seed=seed,
        schema=_read_schema(schema),
        exclude=tuple(exclude or ()),
    )
    run_evaluation(request, out, Reporter(quiet=quiet), overwrite=overwrite)


@app.command()
def demo(
    out: Annotated[str, typer.Option(help="Folder for all that is written.")] = "gtcoder-demo",
    address: _Address = None,
    quiet: _Quiet = False,
) -> None:
    """Go the whole way on 336,776 real flights, in under six minutes."""
    from ray_jobs.demo import run_demo

    run_demo(out, address, Reporter(quiet=quiet))


_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def serve(context: typer.Context) -> None:
    """Serve bundles over HTTP; see `gtcoder serve --help`."""
    _run_module("serve", context.args)


@app.command(context_settings={"ignore_unknown_options": True})
def submit(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(help="train, generate, evaluate or benchmark, and its options.")
    ],
    address: _Dashboard = None,
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


@app.command()
def jobs(
    job: Annotated[str | None, typer.Argument(help="Follow this one's log to its end.")] = None,
    address: _Dashboard = None,
) -> None:
    """List the jobs of a Ray cluster, or follow one."""
    from ray_jobs.submit import jobs

    if job is not None:
        _follow(job, address)
        return
    for line in jobs(address):
        print(line)


@app.command()
def stop(
    job: Annotated[str, typer.Argument(help="As `gtcoder jobs` lists it.")],
    address: _Dashboard = None,
) -> None:
    """End a job on a Ray cluster."""
    from ray_jobs.submit import stop

    print(f"{job} is told to stop" if stop(job, address) else f"{job} was not running")


def _follow(job: str, address: str | None) -> None:
    from ray_jobs.submit import follow

    try:
        code = follow(job, address)
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


benchmarks = typer.Typer(help="Measure this machine.", no_args_is_help=True)
app.add_typer(benchmarks, name="benchmark")


@benchmarks.command("generate")
def benchmark_generate(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    rows: Annotated[str, typer.Option(help="Rows of the larger of two jobs.")] = "2_000_000",
    num_workers: _Workers = None,
    address: _Address = None,
) -> None:
    """Rows a second of generation, beside what the decoder's matrix products alone take."""
    from ray_jobs import benchmark

    count = _count(rows, "--rows")
    benchmark.benchmark_generate(bundle, count, num_workers, address, Reporter())


@benchmarks.command("codec")
def benchmark_codec(
    rows: Annotated[
        list[str] | None, typer.Option(help="Rows of a table; repeatable; 1, 3 and 10 million.")
    ] = None,
) -> None:
    """Time and memory of sketching and encoding tables of several sizes."""
    from ray_jobs import benchmark

    sizes = [_count(text, "--rows") for text in rows or ("1_000_000", "3_000_000", "10_000_000")]
    benchmark.benchmark_codec(sizes, Reporter())


@benchmarks.command("serve", context_settings=_PASSED_ON, add_help_option=False)
def benchmark_serve(context: typer.Context) -> None:
    """Requests and rows a second of the service, over real HTTP."""
    _run_module("serve.benchmark", context.args)


def _run_module(name: str, arguments: list[str]) -> None:
    """Run what stands beside these jobs as a program of its own: neither imports the other."""
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


@benchmarks.command("scale")
def benchmark_scale(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle to make tables from.")],
    out: Annotated[
        str, typer.Option(help="Folder for the tables and for what was measured.")
    ] = "gtcoder-scale",
    rows: Annotated[
        list[str] | None, typer.Option(help="Rows of a table; repeatable; 1, 10 and 50 million.")
    ] = None,
    num_workers: Annotated[
        list[int] | None, typer.Option(help="Workers; repeatable; 1, 2 and 4.")
    ] = None,
    train_time: Annotated[str, typer.Option(help="How long each table is trained on.")] = "2m",
) -> None:
    """Encoding, training and generating by workers and rows, and what a billion rows take."""
    from ray_jobs import benchmark_scale

    sizes = [_count(text, "--rows") for text in rows or ("1_000_000", "10_000_000", "50_000_000")]
    workers, seconds = num_workers or [1, 2, 4], duration_s(train_time)
    benchmark_scale.benchmark_scale(bundle, out, sizes, workers, seconds, Reporter())


@benchmarks.command("paper")
def benchmark_paper(
    out: Annotated[str, typer.Option(help="Folder for results, tables and figures.")],
    datasets: Annotated[
        str, typer.Option(help="Data sets, comma-separated; omitted, all of the paper's.")
    ] = "",
    methods: Annotated[str, typer.Option(help="Methods, comma-separated; omitted, all.")] = "",
    seeds: Annotated[str, typer.Option(help="Each splits, trains and draws anew.")] = "0,1,2",
    epochs: Annotated[int, typer.Option(help="Passes over the rows, alike for all methods.")] = 300,
    data: Annotated[
        str | None, typer.Option(help="Folder of Parquet files; omitted, from the publisher.")
    ] = None,
    address: _Address = None,
    num_cpus: Annotated[int, typer.Option(help="CPUs of each task.")] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed before.")
    ] = False,
    quiet: _Quiet = False,
) -> None:
    """Run the paper's tables and figures; the same command goes on after a stop."""
    from ray_jobs.paper import PaperRequest, run_paper

    request = PaperRequest(
        out=out,
        datasets=_names(datasets),
        methods=_names(methods),
        seeds=tuple(_count(seed, "--seeds") for seed in _names(seeds)),
        epochs=epochs,
        data=data,
        address=address,
        num_cpus=num_cpus,
        retry_failed=retry_failed,
    )
    run_paper(request, Reporter(quiet=quiet))


@benchmarks.command("speed")
def benchmark_speed(
    table: Annotated[str, typer.Argument(help="Path, folder, glob or URI of Parquet or CSV.")],
    methods: Annotated[str, typer.Option(help="Methods, comma-separated; omitted, all.")] = "",
    epochs: Annotated[int, typer.Option(help="Passes over the rows to time.")] = 3,
    rows: Annotated[str, typer.Option(help="Rows to draw.")] = "100_000",
    threads: Annotated[int, typer.Option(help="Threads of each method.")] = 1,
) -> None:
    """Rows a second of learning and drawing, and memory: GTCoder beside every baseline."""
    from ray_jobs import speed

    count = _count(rows, "--rows")
    request = speed.SpeedRequest(
        table=table, methods=_names(methods), epochs=epochs, rows=count, threads=threads
    )
    speed.benchmark_speed(request, Reporter())


def _names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _count(text: str, option: str) -> int:
    """A number of rows, with or without separators."""
    try:
        return int(text.replace(",", "_"))
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: expected a whole number") from error


def _read_schema(path: str | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        plain = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--schema {path} cannot be read as JSON: {error}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f'--schema {path}: expected {{"columns": {{...}}}}')
    return plain


def main() -> None:
    """Run the command; what a user can mend is one line on standard error and exit code 1."""
    try:
        app()
    except (GTCoderError, OSError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {said}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
