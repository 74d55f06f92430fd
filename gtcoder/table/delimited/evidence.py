"""What all values of a column of text allow it to be, and what is made of that.

Evidence is gathered batch by batch to the end of a file. What remains open then, such as which of
day and month comes first, is settled by the other columns and files of the table, or said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.table.delimited.csv_format import CsvFormat, said_so
from gtcoder.table.delimited.readings import (
    FAMILIES,
    NO_VALUES,
    NULL_WORDS,
    Reading,
    is_code,
    parsed,
)

_LOOKED_AT = 200
"""Values of the first batch that decide which families are tried."""
_NULLS = pa.array(NULL_WORDS)
_SLASHED = ("dmy", "mdy")
_NS_YEARS = (pa.scalar(-9_223_372_036), pa.scalar(9_223_372_036))
"""Seconds around 1970 that nanoseconds can count."""


@dataclass
class Evidence:
    """What the values of a column, so far, allow."""

    alive: dict[str, int] | None = None
    """Families that fit all values, and how far along each; None before the first value."""
    codes: bool = False
    """Whether they are text only since digits in them are codes."""
    whole: bool = True
    """Whether all of them are plain whole numbers, which all number families share."""
    dotted: bool = False
    """Whether dates stand between dots."""
    nanoseconds: bool = True
    """Whether all moments are in the years that nanoseconds can count."""
    missing: bool = False
    """Whether there are fields with nothing in them, not even quotes."""
    empty: bool = False
    """Whether there are fields with nothing in their quotes."""
    words: set[str] = field(default_factory=set)
    """Null words among the values of text, or of a column of nothing else."""

    def add(self, texts: pa.Array, nulls: pa.Array) -> None:
        """Take in more values; `nulls` are words that were said to mean nothing."""
        self.missing = self.missing or texts.null_count > 0
        if self.alive is None:
            sample = _first_values(texts, nulls)
            if sample:
                self.alive = {
                    name: 0
                    for name, family in FAMILIES.items()
                    if all(family.pattern.fullmatch(value) for value in sample)
                }
                self.whole = "plain" in self.alive
                self.dotted = "." in sample[0]
        for name in [*(self.alive or {})]:
            self._advance(name, texts, nulls)
        if self.alive and any(FAMILIES[name].is_number for name in self.alive):
            self._keep_codes(texts, nulls)
        if not self.alive:
            self._note_words(texts)

    def _advance(self, name: str, texts: pa.Array, nulls: pa.Array) -> None:
        assert self.alive is not None
        family = FAMILIES[name]
        if family.is_number and self.whole and name != "plain":
            return  # what is plain and whole is so in every country
        if name == "ymd" and "iso" in self.alive:
            return  # what is ISO is of this order too
        for level in range(self.alive[name], len(family.types)):
            reading = Reading(name, family.types[level])
            try:
                if level or name != "plain":  # most that fail do so soon
                    parsed(reading, texts.slice(0, 5 * _LOOKED_AT), nulls)
                values = parsed(reading, texts, nulls)
            except pa.ArrowInvalid:
                if name == "plain" and level == 0:
                    self.whole = False
                continue
            self.alive[name] = level
            if pa.types.is_timestamp(values.type) and values.type.unit != "ns":
                self._keep_years(values)
            return
        level = self.alive.pop(name)
        if name == "iso" and "ymd" in self.alive:
            self.alive["ymd"] = max(level, self.alive["ymd"])

    def _keep_years(self, moments: pa.Array) -> None:
        ends = pc.min_max(moments.cast(pa.timestamp("s", moments.type.tz), safe=False))
        seconds = [ends[key].cast(pa.int64()).as_py() for key in ("min", "max")]
        low, high = (limit.as_py() for limit in _NS_YEARS)
        if seconds[0] is not None and not low < seconds[0] <= seconds[1] < high:
            self.nanoseconds = False

    def _keep_codes(self, texts: pa.Array, nulls: pa.Array) -> None:
        if is_code(pc.utf8_trim_whitespace(texts) if not self.whole else texts):
            assert self.alive is not None
            numbers = [name for name in self.alive if FAMILIES[name].is_number]
            for name in numbers:
                del self.alive[name]
            self.codes = not self.alive

    def _note_words(self, texts: pa.Array) -> None:
        self.empty = self.empty or bool(pc.any(pc.equal(texts, "")).as_py())
        found = texts.filter(pc.is_in(texts, value_set=_NULLS))
        self.words |= {word for word in pc.unique(found).to_pylist() if word}


def _first_values(texts: pa.Array, nulls: pa.Array) -> list[str]:
    """Some of the values that are no null words."""
    for values in (texts.slice(0, 50 * _LOOKED_AT), texts):
        trimmed = pc.utf8_trim_whitespace(values.drop_null())
        words = pc.or_(pc.is_in(trimmed, value_set=NO_VALUES), pc.is_in(trimmed, value_set=nulls))
        kept = trimmed.filter(pc.invert(words)).slice(0, _LOOKED_AT).to_pylist()
        if kept:
            return kept
    return []


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a table writes numbers and dates, where its columns say so."""

    decimal: str | None
    thousands: str | None
    dates: str | None


def conventions(columns: Iterable[Evidence], said: CsvFormat) -> Conventions:
    """What is said, and for the rest what columns that can be read in one way only show."""
    decimal, thousands, dates = said.decimal, said.thousands, said.dates
    alone = [set(column.alive) for column in columns if column.alive and not column.whole]
    for names in [names for names in alone if not names & {"plain"}]:
        numbers = [FAMILIES[name] for name in names if FAMILIES[name].is_number]
        marks = {family.decimal for family in numbers}
        if len(marks) == 1:
            decimal = decimal or marks.pop()
        if len(numbers) == 1 and numbers[0].thousands and thousands is None:
            thousands = numbers[0].thousands
    for names in alone:
        orders = names & set(_SLASHED)
        if len(orders) == 1 and dates is None:
            dates = next(iter(orders))
    return Conventions(decimal, thousands, dates)


def reading_of(
    evidence: Evidence, known: Conventions, said: CsvFormat, sep: str
) -> tuple[Reading | None, str]:
    """How a column is read, None for text; and what a user should know of that, if anything."""
    alive = evidence.alive or {}
    numbers = [name for name in alive if FAMILIES[name].is_number]
    if numbers:
        name, note = _number_family(evidence, numbers, known, said, sep)
        return (Reading(name, _type(name, alive[name])) if name else None), note
    dates = [name for name in alive if name in _SLASHED]
    if dates:
        order = _order(evidence, dates, known)
        if order is None and said.dates is not None:
            return None, f"its dates are not all {said.dates} as `csv=` says, so it stays text"
        if order is None:
            return None, (
                "day and month could be either way round, so it stays text; say which with "
                "`csv='dates=dmy'` or dates=mdy"
            )
        return Reading(order, _moment(evidence, order, alive[order])), ""
    name = next(iter(alive), "")
    if not name:
        return None, _text_note(evidence)
    return Reading(name, _moment(evidence, name, alive[name])), ""


def _type(name: str, level: int) -> pa.DataType:
    return FAMILIES[name].types[level]


def _moment(evidence: Evidence, name: str, level: int) -> pa.DataType:
    """The type of a date family; microseconds where nanoseconds do not reach."""
    kind = _type(name, level)
    if pa.types.is_timestamp(kind) and kind.unit == "ns" and not evidence.nanoseconds:
        return pa.timestamp("us", kind.tz)
    return kind


def _order(evidence: Evidence, dates: list[str], known: Conventions) -> str | None:
    if known.dates is not None:
        return known.dates if known.dates in dates else None
    if evidence.dotted and "dmy" in dates:
        return "dmy"
    return dates[0] if len(dates) == 1 else None


def _number_family(
    evidence: Evidence, names: list[str], known: Conventions, said: CsvFormat, sep: str
) -> tuple[str, str]:
    """The family that a column of numbers is read by; none if that is open."""
    if evidence.whole:
        return "plain", ""
    fitting = [name for name in names if _allowed(name, said)]
    if not fitting:
        return "", "its numbers are not written as `csv=` says, so it stays text"
    if "plain" in fitting:
        grouped = f"number {known.decimal}{known.thousands}"
        return (grouped if grouped in fitting and known.thousands else "plain"), ""
    if len(fitting) == 1:
        return fitting[0], ""
    if len({FAMILIES[name].thousands for name in fitting}) == 1 and not any(
        (evidence.alive or {})[name] for name in fitting
    ):
        return fitting[0], ""  # no decimals at all
    mark = known.decimal or {",": ".", ";": ","}.get(sep)
    by_mark = [name for name in fitting if FAMILIES[name].decimal == mark]
    if len({FAMILIES[name].decimal for name in fitting}) == 1:
        by_mark = fitting
    if by_mark and known.decimal is None and by_mark != fitting:
        what = "decimal" if mark == "," else "between thousands"
        other = "thousands" if mark == "," else "decimal"
        return by_mark[0], f"its commas are taken as {what}; if not, say `csv='{other}=,'`"
    if by_mark:
        return by_mark[0], ""
    return "", (
        "the comma in its numbers could be decimal or between thousands, so it stays text; "
        "say which with `csv='decimal=,'` or thousands=,"
    )


def _allowed(name: str, said: CsvFormat) -> bool:
    family = FAMILIES[name]
    if said.thousands is not None and family.thousands not in ("", said.thousands):
        return False
    if said.thousands and said.decimal is None and family.decimal == said.thousands:
        return False
    return said.decimal in (None, family.decimal)


def _text_note(evidence: Evidence) -> str:
    words = sorted(evidence.words)
    if words and evidence.alive is not None:
        listed = "|".join(words)
        return f"{listed} among its words is kept; if it means nothing, say {said_so(null=listed)}"
    return ""
