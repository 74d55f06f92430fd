"""How each file of a table is read, once all of them were looked at to their end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.table.delimited.csv_format import CsvFormat, said_so
from gtcoder.table.delimited.evidence import Conventions, Evidence, conventions, reading_of
from gtcoder.table.delimited.layout import Layout
from gtcoder.table.delimited.readings import FAMILIES, NOTHING, Reading
from gtcoder.typos import listed, meant


@dataclass(frozen=True, slots=True)
class Survey:
    """What one file showed."""

    path: str
    layout: Layout
    columns: Mapping[str, Evidence]
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How one file is read."""

    layout: Layout
    readings: Mapping[str, Reading | None]
    """By column; None where it is text."""
    null: tuple[str, ...]
    """Words that were said to mean nothing."""
    empty_is_text: bool
    """Whether quotes with nothing between them are an empty text rather than nothing."""

    @property
    def schema(self) -> pa.Schema:
        """Of the file as it is read."""
        return pa.schema([(n, r.type if r else pa.string()) for n, r in self.readings.items()])


@dataclass(frozen=True, slots=True)
class Settled:
    """How a table's files are read, and what a user should know of it."""

    plans: tuple[Plan, ...]
    format: CsvFormat
    """As said, and guessed for the rest."""
    notes: tuple[str, ...]


def settle(uri: str, surveys: Sequence[Survey], said: CsvFormat) -> Settled:
    """Settle how files are read that were surveyed.

    Raises:
        TableError: a column that was said to be text is in none of them.
    """
    names = {name: None for survey in surveys for name in survey.columns}
    unknown = next((name for name in said.text if name not in names), None)
    if unknown is not None:
        raise TableError(
            f"{said_so(text=unknown)}: no such column in {uri}; there are {listed(names)}"
            f"{meant(unknown, names)}"
        )
    everything = [evidence for survey in surveys for evidence in survey.columns.values()]
    known = conventions(everything, said)
    empty_is_text = any(s.layout.quoted_words for s in surveys) or (
        any(e.missing for e in everything) and any(e.empty for e in everything)
    )
    read = [_readings(survey, known, said, empty_is_text) for survey in surveys]
    text = _text_anywhere(surveys, [readings for readings, _ in read])
    plans = tuple(
        Plan(
            survey.layout,
            {name: None if _as_text(name, r, text) else r for name, r in readings.items()},
            said.null or (),
            empty_is_text,
        )
        for survey, (readings, _) in zip(surveys, read, strict=True)
    )
    notes = {name: note for _, noted in read for name, note in noted.items() if note}
    told = tuple(f"column {name!r}: {note}" for name, note in notes.items())
    if not said.names and any(_looks_like_a_row(plan.readings) for plan in plans):
        told += (
            f"the first line of {surveys[0].path} is read as a header but looks like a row; if it "
            "is one, name the columns with `csv='names=a|b|c'`",
        )
    return Settled(plans, _format(said, surveys[0].layout, known), told)


def _readings(
    survey: Survey, known: Conventions, said: CsvFormat, empty_is_text: bool
) -> tuple[dict[str, Reading | None], dict[str, str]]:
    readings: dict[str, Reading | None] = {}
    notes: dict[str, str] = {}
    for name, evidence in survey.columns.items():
        if evidence.alive is None:
            readings[name] = None if evidence.empty and empty_is_text else NOTHING
            continue
        readings[name], notes[name] = reading_of(evidence, known, said, survey.layout.sep)
    return readings, notes


def _looks_like_a_row(readings: Mapping[str, Reading | None]) -> bool:
    """Whether the names of all columns of numbers and dates are such values, and no plain years."""
    typed = [
        (name, FAMILIES[reading.family].pattern.fullmatch(name))
        for name, reading in readings.items()
        if reading is not None and reading != NOTHING
    ]
    return all(found for _, found in typed) and any(not _PLACE.fullmatch(n) for n, _ in typed)


_PLACE = re.compile(r"\d{1,3}|(?:19|20)\d\d")
"""A name that numbers a column or is a year."""


def _text_anywhere(
    surveys: Sequence[Survey], read: Sequence[Mapping[str, Reading | None]]
) -> dict[str, bool]:
    """Columns that are text in a file; True where that is since their digits are codes."""
    text: dict[str, bool] = {}
    for survey, readings in zip(surveys, read, strict=True):
        for name, reading in readings.items():
            if reading is None:
                text[name] = text.get(name, False) or survey.columns[name].codes
    return text


def _as_text(name: str, reading: Reading | None, text: Mapping[str, bool]) -> bool:
    """Whether a column is text here since it is elsewhere: nothing yet, or digits of codes."""
    if reading is None:
        return True
    if name not in text:
        return False
    return reading == NOTHING or (text[name] and pa.types.is_integer(reading.type))


def _format(said: CsvFormat, layout: Layout, known: Conventions) -> CsvFormat:
    return replace(
        said,
        sep=layout.sep,
        quote=layout.quote,
        escape=layout.escape or None,
        encoding=layout.encoding,
        decimal=known.decimal or ".",
        thousands=known.thousands,
        dates=known.dates,
        skip=said.skip,
    )
