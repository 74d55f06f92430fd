"""What a user says of how CSV files are written; what is not said is guessed."""

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from gtcoder.errors import ConfigError

EXAMPLE = "`csv='sep=;,decimal=,,encoding=latin-1,null=NA|-,dates=dmy,text=zip|phone'`"
ORDERS = ("dmy", "mdy", "ymd")
"""Of day, month and year."""

_WORDS = {
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
    "none": "",
    r"\t": "\t",
    r"\x01": "\x01",
    r"\001": "\x01",
    "ctrl-a": "\x01",
}
"""Characters that are hard to write in a shell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvFormat:
    """How CSV files are written; None where that is to be guessed."""

    sep: str | None = None
    """Between fields."""
    quote: str | None = None
    """Around fields that hold separators; empty if there is none."""
    escape: str | None = None
    """Before a quote within quotes, besides a second quote; empty if there is none."""
    encoding: str | None = None
    decimal: str | None = None
    """`.` or `,`."""
    thousands: str | None = None
    """Between groups of three digits; empty if there is none."""
    null: tuple[str, ...] | None = None
    """Words that mean nothing is there, in every column."""
    dates: str | None = None
    """Order of day, month and year: dmy, mdy, ymd."""
    text: tuple[str, ...] = ()
    """Columns that stay text, whatever their values look like."""
    comment: str | None = None
    """Lines that begin with it are not read; empty if there are none."""
    skip: int | None = None
    """Lines before the header that are not read."""
    names: tuple[str, ...] = ()
    """Of the columns, if the files have no header."""

    def __post_init__(self) -> None:
        for name, least in (("sep", 1), ("quote", 0), ("escape", 0), ("thousands", 0)):
            value = getattr(self, name)
            if value is not None and not least <= len(value) <= 1:
                said = said_so(**{name: value})
                raise ConfigError(f"{said}: expected one character, e.g. {EXAMPLE}")
        if self.sep is not None and (self.sep in '"\r\n' or not self.sep.isascii()):
            raise ConfigError(f"{said_so(sep=self.sep)}: expected a separator such as ; or tab")
        if self.decimal not in (None, ".", ","):
            raise ConfigError(f"{said_so(decimal=self.decimal)}: expected . or ,")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ConfigError(f"`csv=`: {self.decimal!r} cannot be both decimal and thousands")
        if self.dates is not None and self.dates not in ORDERS:
            raise ConfigError(f"{said_so(dates=self.dates)}: expected {', '.join(ORDERS)}")
        if self.skip is not None and self.skip < 0:
            raise ConfigError(f"{said_so(skip=self.skip)}: expected a number of lines")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                raise ConfigError(
                    f"{said_so(encoding=self.encoding)}: no such encoding; "
                    "expected e.g. utf-8, latin-1, cp1252, utf-16"
                ) from error

    @classmethod
    def of(cls, said: "CsvFormat | str | Iterable[str] | Mapping[str, Any] | None") -> Self | None:
        """What is said in any of the ways there are; None if nothing is.

        Text is settings `key=value` between commas or spaces, lists are between bars. A setting
        ends where the next one begins, so that a comma can be a value: `decimal=,,sep=;`, and
        `decimal=,sep=;` as well.

        Raises:
            ConfigError: a setting is unknown or has a value that cannot be used.
        """
        if said is None or isinstance(said, cls):
            return said
        if isinstance(said, Mapping):
            plain = dict(said)
        else:
            texts = [said] if isinstance(said, str) else list(said)  # type: ignore[arg-type]
            plain = {key: value for text in texts for key, value in _settings(text).items()}
        if not plain:
            return None
        return cls(**{name: _value(name, value) for name, value in plain.items()})

    def __str__(self) -> str:
        """As it is written for `csv=`; `of` reads it back."""
        told = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return " ".join(f"{n}={_written(v)}" for n, v in told if v is not None and v != ())


def said_so(**setting: object) -> str:
    """One setting as a Python caller writes it, `csv='sep=,'`, for messages."""
    ((name, value),) = setting.items()
    return f"`csv={f'{name}={value}'!r}`"


_SETTINGS = tuple(field.name for field in fields(CsvFormat))
_SETTING = re.compile(rf"(?:^|[,\s])\s*({'|'.join(_SETTINGS)})=")
_UNKNOWN = re.compile(r"[,\s](\w+)=")


def _settings(text: str) -> dict[str, str]:
    found = list(_SETTING.finditer(text))
    if not found or text[: found[0].start()].strip():
        raise ConfigError(f"`csv={text!r}`: expected {', '.join(_SETTINGS)}; e.g. {EXAMPLE}")
    settings = {}
    for at, match in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        value = text[match.end() : end]
        bare = value.strip() or value
        # The comma before the next setting is the value where there is no other.
        settings[match[1]] = bare if bare else text[end : end + 1].strip()
        unknown = _UNKNOWN.search(value)
        if unknown:
            raise _unknown(unknown[1])
        if not settings[match[1]]:
            said = said_so(**{match[1]: ""})
            raise ConfigError(f"{said}: expected a value; none if there is none")
    return settings


def _unknown(name: str) -> ConfigError:
    return ConfigError(f"`csv=`: no setting {name!r}; there are {', '.join(_SETTINGS)}")


def _value(name: str, value: Any) -> Any:
    if name not in _SETTINGS:
        raise _unknown(name)
    if name == "skip":
        try:
            return int(value)
        except ValueError as error:
            raise ConfigError(f"{said_so(skip=value)}: expected a number of lines") from error
    if name in ("null", "text", "names"):
        return tuple(value.split("|")) if isinstance(value, str) else tuple(map(str, value))
    if name in ("encoding", "dates"):
        return value.lower()
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "|".join(value)
    names = {"\t": "tab", "\x01": "ctrl-a", " ": "space", "": "none"}
    return names.get(value, value) if isinstance(value, str) else str(value)
