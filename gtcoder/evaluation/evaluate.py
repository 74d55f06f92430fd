"""Evaluate a synthetic table: read samples, measure, and put the figures into one report."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from gtcoder.errors import ConfigError, SchemaError
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.measures import (
    HELD_OUT,
    INDEPENDENT,
    QUICK_LEAVES_OUT,
    SYNTHETIC,
    Progress,
    Tables,
    measure_fidelity,
    measure_leakage,
    measure_utility,
)
from gtcoder.evaluation.patterns import pattern_shares
from gtcoder.evaluation.privacy.copies import copy_shares
from gtcoder.evaluation.report.report import Source, build_report
from gtcoder.evaluation.roles import Roles
from gtcoder.evaluation.rules import kept_shares
from gtcoder.evaluation.samples import (
    FEWEST_ROWS,
    check_columns,
    conformed,
    independent_columns,
    sample_rows,
)
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.locate import locate
from gtcoder.table.memory import MemoryTable
from gtcoder.table.table import Table

DEFAULT_ROWS = 50_000
FEWEST_HELD_OUT = 10
"""Held-out rows, if they are given."""
SPLIT_SHARE = 0.2
"""Of the real rows, split off as held-out rows when none are given."""

StageOf = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is evaluated, and how."""

    real: str | MemoryTable
    """The table that the generator was trained on, or its URI."""
    synthetic: str | MemoryTable
    """The generated table, or its URI."""
    holdout: str | MemoryTable | None = None
    """Rows of the same population that it was not trained on, or their URI."""
    target: str | None = None
    """Column that is predicted."""
    rows: int = DEFAULT_ROWS
    """Rows of each table that are used, at most."""
    seed: int = 0
    schema: Mapping[str, Any] = field(default_factory=dict)
    """Kinds that override the inferred ones, as for training."""
    exclude: tuple[str, ...] = ()
    """Columns that are not compared."""
    quick: bool = False
    """Leave out what takes long: distances, attacks, many rows. The report says so."""
    csv: CsvFormat | None = None
    """How CSV files of real rows are written; what is text there is so in generated ones too."""

    def __post_init__(self) -> None:
        if self.rows < FEWEST_ROWS:
            raise ConfigError(f"`rows={self.rows}`: expected at least {FEWEST_ROWS}")
        if self.seed < 0:
            raise ConfigError(f"`seed={self.seed}`: expected 0 or more")


@dataclass(frozen=True)
class Samples:
    """The rows that were read."""

    located: Mapping[str, Table | MemoryTable]
    """`real`, `synthetic`, and `holdout` if it was given."""
    roles: Roles
    schema: pa.Schema
    """Of the columns that are compared."""
    real: pa.Table
    synthetic: pa.Table
    held_out: pa.Table
    independent: pa.Table

    @property
    def given(self) -> bool:
        """Whether held-out rows were given; else they are split off the real ones."""
        return "holdout" in self.located


def evaluate(request: Request, stage: StageOf) -> dict[str, Any]:
    """The report, as plain JSON values; `page.render` makes a page of it.

    Args:
        request: what is evaluated; a quick one takes seconds where the whole takes a minute.
        stage: is entered with the name of each part of the work.

    Raises:
        TableError: a table cannot be read or has too few rows.
        SchemaError: the tables do not go together, or the target cannot be predicted.
    """
    with stage("read") as progress:
        samples = read(request, progress)
        frames = align(
            samples.roles, samples.real, samples.synthetic, samples.held_out, samples.independent
        )
        tables = Tables(*frames)
    with stage("fidelity") as progress:
        fidelity = measure_fidelity(
            tables, seed=request.seed, quick=request.quick, progress=progress
        )
    utility = leakage = None
    if request.target is not None:
        with stage("utility"):
            utility = measure_utility(tables, seed=request.seed, quick=request.quick)
    with stage("rules"):
        others = {SYNTHETIC: samples.synthetic, HELD_OUT: samples.held_out}
        rules = kept_shares(samples.real, others, request.schema)
        patterns = pattern_shares(samples.real, others, samples.roles.patterns)
    with stage("privacy") as progress:
        copies = _copies(samples)
        if samples.given and not request.quick:
            leakage = measure_leakage(tables, seed=request.seed, progress=progress)
    return build_report(
        tables,
        samples.schema,
        sources=_sources(samples),
        fidelity=fidelity,
        rules=rules,
        patterns=patterns,
        utility=utility,
        copies=copies,
        leakage=leakage,
        settings={
            "rows": request.rows,
            "seed": request.seed,
            "quick_leaves_out": QUICK_LEAVES_OUT if request.quick else None,
        },
    )


def read(request: Request, progress: Progress) -> Samples:
    """Locate the tables, see that they go together, and sample them."""
    uris = {"real": request.real, "synthetic": request.synthetic, "holdout": request.holdout}
    said: dict[str, CsvFormat | None] = dict.fromkeys(uris, request.csv)
    if request.csv is not None:
        said["synthetic"] = CsvFormat(text=request.csv.text) if request.csv.text else None
    located = {
        name: uri
        if isinstance(uri, MemoryTable)
        else locate(uri, csv=said[name], exclude=request.exclude)
        for name, uri in uris.items()
        if uri is not None
    }
    real = located["real"]
    for other in list(located.values())[1:]:
        check_columns(real, other, request.exclude)
    schema = pa.schema([f for f in real.schema if f.name not in request.exclude])
    drawn = {}
    for at, (name, table) in enumerate(located.items()):
        progress(at / len(located))
        rng = np.random.default_rng([request.seed, 6, at])
        fewest = FEWEST_HELD_OUT if name == "holdout" else FEWEST_ROWS
        drawn[name] = sample_rows(table, schema, rows=request.rows, rng=rng, fewest=fewest)
    roles = Roles.of(drawn["real"], target=request.target, schema=request.schema)
    if not roles.columns:
        raise SchemaError(
            f"{real.uri}: no column can be compared, all are identifiers, free text or left "
            "out; expected numbers or categories: give one its kind with `schema=`"
        )
    rng = np.random.default_rng([request.seed, 7])
    if "holdout" not in drawn:
        drawn["real"], drawn["holdout"] = _split(drawn["real"], rng)
    independent = independent_columns(drawn["real"], rng)
    return Samples(located, roles, schema, *_in_order(drawn), independent)


def _in_order(drawn: Mapping[str, pa.Table]) -> tuple[pa.Table, pa.Table, pa.Table]:
    return drawn["real"], drawn["synthetic"], drawn["holdout"]


def _split(real: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    order = rng.permutation(len(real))
    off = max(round(SPLIT_SHARE * len(real)), 1)
    kept, split = (np.sort(part) for part in (order[off:], order[:off]))
    return real.take(pa.array(kept)), real.take(pa.array(split))


def _copies(samples: Samples) -> dict[str, float]:
    """Rows equal to one of the whole real table; those split off it, to another one."""
    stream = conformed(samples.located["real"], samples.schema)
    others = [samples.synthetic, samples.independent, samples.held_out]
    times = (1, 1, 1 if samples.given else 2)
    shares = copy_shares(samples.roles, stream, others, times)
    return dict(zip((SYNTHETIC, INDEPENDENT, HELD_OUT), shares, strict=True))


def _sources(samples: Samples) -> dict[str, Source]:
    used = {
        "real": samples.real,
        "synthetic": samples.synthetic,
        "held_out": samples.held_out,
    }
    names = {"real": "real", "synthetic": "synthetic", "held_out": "holdout"}
    return {
        key: Source(
            uri=samples.located[names[key]].uri if names[key] in samples.located else None,
            rows=samples.located[names[key]].rows if names[key] in samples.located else None,
            used=len(table),
        )
        for key, table in used.items()
    }
