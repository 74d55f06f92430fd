"""`gtcoder inspect`, `drift`, `complete` and `score`: what reads a table and learns nothing."""

from typing import Annotated

import typer

from gtcoder.codec.drift import THRESHOLD
from ray_jobs.cli.options import (
    WAIT,
    Address,
    AsJson,
    Checksum,
    Csv,
    FindRules,
    OnBadFile,
    OverwriteRows,
    Quiet,
    RuleTolerance,
    TableName,
    Wait,
    names,
    read_schema,
    reading,
)
from ray_jobs.cli.words import CommandReporter

Unread = Annotated[
    list[str] | None, typer.Option(help="A column not to read nor write; repeatable.")
]


def inspect(
    table: TableName,
    out: Annotated[
        str | None, typer.Option(help="Write the schema as JSON, to edit and give to train.")
    ] = None,
    schema: Annotated[str | None, typer.Option(help="JSON file of kinds, as for train.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; repeatable.")
    ] = None,
    csv: Csv = None,
    rules: FindRules = True,
    rule_tolerance: RuleTolerance = 0.0,
    on_bad_file: OnBadFile = "fail",
    address: Address = None,
    wait: Wait = WAIT,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a schema that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Show what a table is taken for: kinds, types, guesses, and what will not be learned."""
    from ray_jobs.inspect import InspectRequest, run_inspection

    request = InspectRequest(
        table=table,
        out=out,
        schema=read_schema(schema),
        exclude=tuple(exclude or ()),
        rules=rules,
        rule_tolerance=rule_tolerance,
        **reading(csv, on_bad_file, address, wait),
        overwrite=overwrite,
    )
    run_inspection(request, CommandReporter(quiet=quiet))


def drift(
    table: TableName,
    bundle: Annotated[str, typer.Option(help="Path or URI of the bundle to compare with.")],
    threshold: Annotated[
        float, typer.Option(help="Share of rows, beyond chance, from which on it has drifted.")
    ] = THRESHOLD,
    as_json: AsJson = False,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column not to compare; repeatable.")
    ] = None,
    csv: Csv = None,
    on_bad_file: OnBadFile = "fail",
    address: Address = None,
    wait: Wait = WAIT,
    quiet: Quiet = False,
) -> None:
    """Compare a table with what a bundle has learned; exit code 3 if it has drifted."""
    from ray_jobs.drift import DriftRequest, run_drift

    request = DriftRequest(
        table=table,
        bundle=bundle,
        threshold=threshold,
        json=as_json,
        exclude=tuple(exclude or ()),
        **reading(csv, on_bad_file, address, wait),
    )
    if run_drift(request, CommandReporter(quiet=quiet)):
        raise typer.Exit(3)


def complete(
    table: TableName,
    bundle: Annotated[str, typer.Option(help="Path or URI of the bundle to draw from.")],
    out: Annotated[str, typer.Option(help="Folder for the completed rows, as Parquet.")],
    columns: Annotated[
        str | None, typer.Option(help="Columns to draw whole, e.g. age,city; omitted, only gaps.")
    ] = None,
    n: Annotated[int, typer.Option(help="Draws of each row, told apart by a column draw.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed draws the same cells.")] = 0,
    checksum: Checksum = None,
    exclude: Unread = None,
    csv: Csv = None,
    on_bad_file: OnBadFile = "fail",
    address: Address = None,
    wait: Wait = WAIT,
    overwrite: OverwriteRows = False,
    quiet: Quiet = False,
) -> None:
    """Fill the gaps of a table's rows; after a crash the same command goes on."""
    from ray_jobs.rewrite.request import RewriteRequest
    from ray_jobs.rewrite.rewrite import run_rewrite

    request = RewriteRequest(
        table=table,
        bundle=bundle,
        out=out,
        whole=names(columns or ""),
        exclude=tuple(exclude or ()),
        draws=n,
        seed=seed,
        checksum=checksum,
        overwrite=overwrite,
        **reading(csv, on_bad_file, address, wait),
    )
    run_rewrite(request, CommandReporter(quiet=quiet))


def score(
    table: TableName,
    bundle: Annotated[str, typer.Option(help="Path or URI of the bundle that knows such rows.")],
    out: Annotated[str, typer.Option(help="Folder for the rows with their scores, as Parquet.")],
    checksum: Checksum = None,
    exclude: Unread = None,
    csv: Csv = None,
    on_bad_file: OnBadFile = "fail",
    address: Address = None,
    wait: Wait = WAIT,
    overwrite: OverwriteRows = False,
    quiet: Quiet = False,
) -> None:
    """Say how likely each row of a table is, and which column surprises; name the least likely."""
    from ray_jobs.rewrite.request import RewriteRequest
    from ray_jobs.rewrite.rewrite import run_rewrite

    request = RewriteRequest(
        table=table,
        bundle=bundle,
        out=out,
        score=True,
        exclude=tuple(exclude or ()),
        checksum=checksum,
        overwrite=overwrite,
        **reading(csv, on_bad_file, address, wait),
    )
    run_rewrite(request, CommandReporter(quiet=quiet))
