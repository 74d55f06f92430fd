"""What a `Synthesizer` is told, checked before it is used."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from gtcoder.codec.config import CodecConfig
from gtcoder.config import Preset
from gtcoder.errors import ConfigError
from gtcoder.schema.schema import Schema
from gtcoder.training.options import device_named


def check(chosen: Mapping[str, Any]) -> None:
    """See that all parameters can be used.

    Raises:
        ConfigError: one cannot.
    """
    if chosen["preset"] not in list(Preset):
        raise ConfigError(f"no preset {chosen['preset']!r}; there are: {', '.join(Preset)}")
    if isinstance(chosen["exclude"], str):
        raise ConfigError(f"exclude must be a list of columns, not the text {chosen['exclude']!r}")
    if not isinstance(chosen["schema"], Schema | Mapping | None):
        raise ConfigError(
            'schema must be a Schema or a dict such as {"columns": {"zip": {"kind": '
            f'"categorical"}}}}}}, not {chosen["schema"]!r}; json.load reads a file of one'
        )
    for name in ("epochs", "max_rows"):
        if chosen[name] is not None:
            whole(name, chosen[name], least=1)
    allowed_s, fraction = chosen["max_time_s"], chosen["validation_fraction"]
    if allowed_s is not None and (not _is_number(allowed_s) or allowed_s <= 0):
        raise ConfigError(f"max_time_s must be more than 0 seconds, not {allowed_s!r}")
    if fraction is not None and not (_is_number(fraction) and 0 <= fraction < 1):
        raise ConfigError(f"validation_fraction must be in [0, 1), not {fraction!r}")
    tolerance = chosen["rule_tolerance"]
    if not (_is_number(tolerance) and 0 <= tolerance < 0.5):
        raise ConfigError(f"rule_tolerance must be in [0, 0.5), not {tolerance!r}")
    whole("seed", chosen["seed"])
    CodecConfig(min_category_rows=whole("min_category_rows", chosen["min_category_rows"], least=1))
    device_named(chosen["device"])


def whole(name: str, value: object, *, least: int = 0) -> int:
    """A whole number.

    Raises:
        ConfigError: it is none, or less than it can be.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        cure = f"at least {least}, not" if least else "0 or more, not"
        raise ConfigError(f"{name} must be {cure} {value}")
    return int(value)


def rows_asked(n: object) -> int:
    """How many rows, said as a number: `1e6` is as good as `1_000_000`.

    Raises:
        ConfigError: it is no whole number, or nothing is said.
    """
    if n is None:
        raise ConfigError("sample how many rows? Say it, as in sample(1000)")
    if isinstance(n, str):
        raise ConfigError(f"n must be a number of rows, not the text {n!r}: sample(1000)")
    return whole("n", int(n) if isinstance(n, float) and n.is_integer() else n)


def settings_of(schema: Schema | Mapping[str, Any] | None) -> dict[str, Any]:
    """Overriding kinds as plain values, with the names of columns as text."""
    plain = schema.editable() if isinstance(schema, Schema) else dict(schema or {})
    columns = plain.get("columns")
    if isinstance(columns, Mapping):
        plain["columns"] = {str(name): kind for name, kind in columns.items()}
    return plain


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
