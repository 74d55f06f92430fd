"""`gtcoder benchmark ...`: what this machine, and the paper's methods, can do."""

from typing import Annotated

import typer

from ray_jobs.cli.options import (
    PASSED_ON,
    Address,
    NumWorkers,
    Quiet,
    count_of,
    duration_s,
    names,
)
from ray_jobs.cli.program import run_module
from ray_jobs.cli.words import CommandReporter

app = typer.Typer(help="Measure this machine.", no_args_is_help=True)


@app.command("generate")
def benchmark_generate(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    rows: Annotated[str, typer.Option(help="Rows of the larger of two jobs.")] = "2_000_000",
    num_workers: NumWorkers = None,
    address: Address = None,
) -> None:
    """Rows a second of generation, beside what the decoder's matrix products alone take."""
    from ray_jobs.benchmarks import generation

    count = count_of(rows, "--rows")
    generation.benchmark_generate(bundle, count, num_workers, address, CommandReporter())


@app.command("codec")
def benchmark_codec(
    rows: Annotated[
        list[str] | None, typer.Option(help="Rows of a table; repeatable; 1, 3 and 10 million.")
    ] = None,
) -> None:
    """Time and memory of sketching and encoding tables of several sizes."""
    from ray_jobs.benchmarks import codec

    sizes = [count_of(text, "--rows") for text in rows or ("1_000_000", "3_000_000", "10_000_000")]
    codec.benchmark_codec(sizes, CommandReporter())


@app.command("serve", context_settings=PASSED_ON, add_help_option=False)
def benchmark_serve(context: typer.Context) -> None:
    """Requests and rows a second of the service, over real HTTP."""
    run_module("serve.benchmark", context.args)


@app.command("scale")
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
    from ray_jobs.benchmarks import scale

    sizes = [count_of(text, "--rows") for text in rows or ("1_000_000", "10_000_000", "50_000_000")]
    workers, seconds = num_workers or [1, 2, 4], duration_s(train_time, "--train-time")
    scale.benchmark_scale(bundle, out, sizes, workers, seconds, CommandReporter())


@app.command("paper")
def benchmark_paper(
    out: Annotated[str, typer.Option(help="Folder for results, tables and figures.")],
    datasets: Annotated[
        str, typer.Option(help="Data sets, comma-separated; omitted, all of the paper's.")
    ] = "",
    methods: Annotated[str, typer.Option(help="Methods, comma-separated; omitted, all.")] = "",
    seeds: Annotated[str, typer.Option(help="Each splits, trains and draws anew.")] = "0,1,2",
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the rows, alike for all methods; omitted, 300, or for larger tables "
            "as many as show 500,000 rows, at least 20."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Folder of Parquet files; omitted, from the publisher.")
    ] = None,
    address: Address = None,
    num_cpus: Annotated[int, typer.Option(help="CPUs of each task.")] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed before.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run the paper's tables and figures; the same command goes on after a stop."""
    from ray_jobs.paper.run import PaperRequest, run_paper

    request = PaperRequest(
        out=out,
        datasets=names(datasets),
        methods=names(methods),
        seeds=tuple(count_of(seed, "--seeds") for seed in names(seeds)),
        epochs=epochs,
        data=data,
        address=address,
        num_cpus=num_cpus,
        retry_failed=retry_failed,
    )
    run_paper(request, CommandReporter(quiet=quiet))


@app.command("speed")
def benchmark_speed(
    table: Annotated[str, typer.Argument(help="Path, folder, glob or URI of Parquet or CSV.")],
    methods: Annotated[str, typer.Option(help="Methods, comma-separated; omitted, all.")] = "",
    epochs: Annotated[int, typer.Option(help="Passes over the rows to time.")] = 3,
    rows: Annotated[str, typer.Option(help="Rows to draw.")] = "100_000",
    threads: Annotated[int, typer.Option(help="Threads of each method.")] = 1,
) -> None:
    """Rows a second of learning and drawing, and memory: GTCoder beside every baseline."""
    from ray_jobs.benchmarks import speed

    count = count_of(rows, "--rows")
    request = speed.SpeedRequest(
        table=table, methods=names(methods), epochs=epochs, rows=count, threads=threads
    )
    speed.benchmark_speed(request, CommandReporter())
