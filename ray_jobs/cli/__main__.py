"""The `gtcoder` command: parse, and call the job.

The jobs are imported within the commands, so that `--help` is quick and Ray is only loaded once
its environment is set.
"""

from typing import Annotated

import typer

from gtcoder import __version__
from gtcoder.codec.config import MIN_CATEGORY_ROWS
from ray_jobs.cli import benchmark as cli_benchmark
from ray_jobs.cli import jobs as cli_jobs
from ray_jobs.cli import tables as cli_tables
from ray_jobs.cli.options import (
    PASSED_ON,
    WAIT,
    Address,
    Checksum,
    Csv,
    FindRules,
    NumWorkers,
    OnBadFile,
    OverwriteRows,
    Quiet,
    RuleTolerance,
    TableName,
    UseGpu,
    Wait,
    count_of,
    duration_s,
    read_schema,
    reading,
    shares_asked,
)
from ray_jobs.cli.program import run, run_module
from ray_jobs.cli.words import CommandReporter

app = typer.Typer(
    name="gtcoder",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"gtcoder {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """Learn a generator from a table, and write any number of synthetic rows."""


@app.command()
def train(
    table: TableName,
    out: Annotated[str, typer.Option(help="Where the bundle goes: a new folder or s3:// URI.")],
    base: Annotated[
        str | None,
        typer.Option("--from", help="A bundle to go on from: learn these rows beside its own."),
    ] = None,
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
    csv: Csv = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows, at most.")] = None,
    max_time: Annotated[
        str | None, typer.Option(help="End the training after so long: 90s, 5m, 2h.")
    ] = None,
    num_workers: NumWorkers = None,
    use_gpu: UseGpu = False,
    seed: Annotated[int, typer.Option(help="Makes the training repeatable.")] = 0,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Share of rows held out to decide when to stop.")
    ] = None,
    min_category_rows: Annotated[
        int, typer.Option(help="Nothing that fewer rows share is written down (privacy).")
    ] = MIN_CATEGORY_ROWS,
    max_rows: Annotated[
        str | None,
        typer.Option(help="Learn so many rows of a larger table, drawn evenly: 10M; omitted, 25M."),
    ] = None,
    rules: FindRules = True,
    rule_tolerance: RuleTolerance = 0.0,
    on_bad_file: OnBadFile = "fail",
    address: Address = None,
    wait: Wait = WAIT,
    storage: Annotated[
        str | None, typer.Option(help="Folder or URI for checkpoints; omitted, beside --out.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with this training if it was interrupted.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a bundle that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Learn a table and write a bundle."""
    from ray_jobs.train import TrainRequest, run_training

    request = TrainRequest(
        table=table,
        out=out,
        base=base,
        preset=preset,
        schema=read_schema(schema),
        exclude=tuple(exclude or ()),
        epochs=epochs,
        max_time_s=duration_s(max_time, "--max-time") if max_time else None,
        num_workers=num_workers,
        use_gpu=use_gpu,
        seed=seed,
        validation_fraction=validation_fraction,
        min_category_rows=min_category_rows,
        max_rows=count_of(max_rows, "--max-rows") if max_rows else None,
        rules=rules,
        rule_tolerance=rule_tolerance,
        **reading(csv, on_bad_file, address, wait),
        storage=storage,
        resume=resume,
        overwrite=overwrite,
    )
    run_training(request, CommandReporter(quiet=quiet))


app.command()(cli_tables.inspect)
app.command()(cli_tables.drift)
app.command()(cli_tables.complete)
app.command()(cli_tables.score)


@app.command()
def generate(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    rows: Annotated[str, typer.Option(help="How many rows, e.g. 10_000, 10k or 1.5M.")],
    out: Annotated[
        str,
        typer.Option(help="Folder for the files, or one file .csv, .jsonl, .parquet."),
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    rows_per_file: Annotated[
        str | None, typer.Option(help="Rows of a file; omitted, at most about 1,000,000.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="parquet, csv (as the table's files were) or jsonl.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="A condition all rows meet: column=value, age>=65, day=2013-06-01..2013-06-30, "
            'or JSON such as {"sex": ["Female", "Male"]}; repeatable.'
        ),
    ] = None,
    balance: Annotated[
        str | None, typer.Option(help="A column whose categories are to be equally common.")
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="Shares of a column's categories, e.g. fraud=yes:0.3 (others as usual)."),
    ] = None,
    checksum: Checksum = None,
    num_workers: NumWorkers = None,
    use_gpu: UseGpu = False,
    address: Address = None,
    wait: Wait = WAIT,
    overwrite: OverwriteRows = False,
    quiet: Quiet = False,
) -> None:
    """Write synthetic rows as Parquet; after a crash the same command goes on."""
    from ray_jobs.generate import GenerateRequest, run_generation

    request = GenerateRequest(
        bundle=bundle,
        rows=count_of(rows, "--rows"),
        out=out,
        seed=seed,
        rows_per_file=count_of(rows_per_file, "--rows-per-file") if rows_per_file else None,
        format=format,
        where=(*(where or ()), *shares_asked(balance, mix)),
        checksum=checksum,
        num_workers=num_workers,
        use_gpu=use_gpu,
        address=address,
        wait_s=duration_s(wait, "--wait"),
        overwrite=overwrite,
    )
    run_generation(request, CommandReporter(quiet=quiet))


@app.command()
def explain(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle.")],
    out: Annotated[
        str, typer.Option(help="Folder or URI for contributions.json and the pictures.")
    ],
    quiet: Quiet = False,
) -> None:
    """Write which columns drive what was learned and what they tell of one another."""
    from ray_jobs.explain import run_explanation

    run_explanation(bundle, out, CommandReporter(quiet=quiet))


@app.command()
def rollback(
    bundle: Annotated[str, typer.Argument(help="Path or URI of a bundle that was replaced.")],
    to: Annotated[
        str | None,
        typer.Option(help="Checksum of an earlier bundle, or its beginning; omitted, the last."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Go back to the bundle that was there before."""
    from ray_jobs.rollback import run_rollback

    run_rollback(bundle, to, CommandReporter(quiet=quiet))


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
    csv: Csv = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes long; the report says what.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a synthetic table against the real one: likeness, use, leaks."""
    from gtcoder.evaluation.evaluate import Request
    from gtcoder.table.delimited.csv_format import CsvFormat
    from ray_jobs.evaluate import run_evaluation

    request = Request(
        real=real,
        synthetic=synthetic,
        holdout=holdout,
        target=target,
        rows=count_of(rows, "--rows"),
        seed=seed,
        schema=read_schema(schema),
        exclude=tuple(exclude or ()),
        quick=quick,
        csv=CsvFormat.of(csv),
    )
    run_evaluation(request, out, CommandReporter(quiet=quiet), overwrite=overwrite)


@app.command()
def example(
    out: Annotated[str, typer.Option(help="A file that ends in .parquet or .csv.")],
    rows: Annotated[str, typer.Option(help="How many orders.")] = "5_000",
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a table to try things on: orders of a shop that does not exist."""
    from ray_jobs.example import run_example

    count = count_of(rows, "--rows")
    run_example(out, count, seed, CommandReporter(quiet=quiet), overwrite=overwrite)


@app.command()
def demo(
    out: Annotated[str, typer.Option(help="Folder for all that is written.")] = "gtcoder-demo",
    address: Address = None,
    quiet: Quiet = False,
) -> None:
    """Go the whole way on 336,776 real flights, in under six minutes."""
    from ray_jobs.demo import run_demo

    run_demo(out, address, CommandReporter(quiet=quiet))


@app.command(context_settings=PASSED_ON, add_help_option=False)
def serve(context: typer.Context) -> None:
    """Serve bundles over HTTP; see `gtcoder serve --help`."""
    run_module("serve", context.args)


app.command(context_settings={"ignore_unknown_options": True})(cli_jobs.submit)
app.command()(cli_jobs.jobs)
app.command()(cli_jobs.stop)
app.add_typer(cli_benchmark.app, name="benchmark")


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
