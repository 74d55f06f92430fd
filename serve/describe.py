"""What is known of a model and its columns, as a client sees it."""

from typing import Any

from serve.http.schemas import Column, ModelInfo, Report
from serve.registry import Model

_CATEGORIES = 200
"""Categories of a column that are shown."""


def described(model: Model, report: Report | None) -> ModelInfo:
    """What is known of a model, and its report, if it has one."""
    bundle = model.bundle
    learned = {field.name for field in bundle.codec.layout.fields} | {*bundle.codec.rules.derived}
    known = bundle.codec.describe()
    columns = [
        _column(f.name, str(f.type), known[f.name], f.name in learned) for f in bundle.schema.arrow
    ]
    rows = bundle.info.get("rows")
    return ModelInfo(
        name=model.name,
        checksum=bundle.checksum,
        rows_trained_on=rows,
        written=model.written.isoformat(),
        report=report,
        completes=bundle.config.model.conditional,
        columns=columns,
    )


def _column(name: str, kind: str, known: dict[str, Any], conditions: bool) -> Column:
    categories = known.get("categories")
    return Column(
        name=name,
        type=kind,
        kind=known["kind"],
        conditions=conditions,
        categories=[_plain(each) for each in categories[:_CATEGORIES]] if categories else None,
        categories_in_all=len(categories) if categories else None,
        low=_plain(known.get("low")),
        high=_plain(known.get("high")),
        missing=known.get("missing"),
        rule=known.get("rule"),
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
