"""What the command line's options have in common: their types, and how their texts are read."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from gtcoder.errors import ConfigError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_COUNT = re.compile(
    r"(-?\d{1,3}(?:[_,]\d{3})+|-?\d+(?:\.\d+)?(?:e\d{1,2})?)\s*([kmbg]?)", re.ASCII | re.IGNORECASE
)
_TIMES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
_SECONDS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
Address = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster, e.g. auto; omitted, Ray starts in this process."),
]
NumWorkers = Annotated[
    int | None,
    typer.Option(help="Workers at most, as many as there is room for; omitted, what pays."),
]
TableName = Annotated[str, typer.Argument(help="Path, folder, glob or URI of Parquet or CSV.")]
OnBadFile = Annotated[
    str, typer.Option(help="A damaged file, or one unlike most: fail, or skip and count it.")
]
FindRules = Annotated[
    bool, typer.Option("--rules/--no-rules", help="Find what columns say of one another, keep it.")
]
RuleTolerance = Annotated[
    float, typer.Option(help="Share of rows that may break a rule that is kept all the same.")
]
Wait = Annotated[
    str, typer.Option(help="How long a machine of a cluster may take to come: 90s, 30m, 2h.")
]
WAIT = "30m"
UseGpu = Annotated[bool, typer.Option("--use-gpu", help="One GPU for each worker, no CPU.")]
Dashboard = Annotated[
    str | None, typer.Option(help="The cluster's dashboard, e.g. http://head:8265.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]

Csv = Annotated[
    list[str] | None,
    typer.Option(
        help="How CSV files are written: 'sep=; decimal=, thousands=. encoding=latin-1 null=NA|- "
        "dates=dmy text=zip|phone comment=# quote=none skip=2'; repeatable; the rest is guessed."
    ),
]

Checksum = Annotated[
    str | None, typer.Option(help="Of the bundle that is meant; refuse any other.")
]
OverwriteRows = Annotated[
    bool, typer.Option("--overwrite", help="Replace the rows of another request.")
]

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command that hands all its arguments to another program."""


def duration_s(text: str, option: str) -> float:
    """Seconds in `90s`, `5m`, `1.5h` or a bare number of seconds.

    Raises:
        ConfigError: it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise ConfigError(f"{option} {text!r}: expected a time such as 90s, 5m or 1.5h")
    return float(match[1]) * _SECONDS[match[2]]


def reading(csv: list[str] | None, on_bad_file: str, address: str | None, wait: str) -> Any:
    """How a table is read and where, as every request that reads one takes it.

    Raises:
        ConfigError: what is said of CSV files or of time is not written so.
    """
    from gtcoder.table.delimited.csv_format import CsvFormat

    return {
        "csv": CsvFormat.of(csv),
        "on_bad_file": on_bad_file,
        "address": address,
        "wait_s": duration_s(wait, "--wait"),
    }


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def count_of(text: str, option: str) -> int:
    """A number of rows: `10000`, `10_000`, `10,000`, `10k`, `1.5M`, `2B` or `1e6`.

    Raises:
        ConfigError: it is none of these.
    """
    match = _COUNT.fullmatch(text.strip())
    count = Decimal(re.sub("[_,]", "", match[1])) * _TIMES[match[2].lower()] if match else None
    if count is None or count != int(count):
        raise ConfigError(f"{option} {text!r}: expected a whole number such as 10_000, 10k or 1.5M")
    return int(count)


def shares_asked(balance: str | None, mix: str | None) -> list[str]:
    """The condition that `--balance` and `--mix` are short for.

    Raises:
        ConfigError: both are given, or one is not written so.
    """
    if balance is not None and mix is not None:
        raise ConfigError("--balance and --mix: expected one of them; give one")
    if mix is None:
        return [] if balance is None else [f"{balance}~"]
    name, sign, shares = mix.partition("=")
    if not (sign and name and shares):
        raise ConfigError(f"--mix {mix}: expected COLUMN=CATEGORY:SHARE, such as fraud=yes:0.3")
    return [f"{name}~{shares}"]


def read_schema(path: str | None) -> dict[str, object]:
    """What a JSON file says of a table's kinds; nothing where there is no file.

    Raises:
        ConfigError: it cannot be read.
    """
    if path is None:
        return {}
    try:
        plain = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--schema {path} cannot be read as JSON: {error}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f'--schema {path}: expected {{"columns": {{...}}}}')
    return plain
