"""What a request for rows wants, checked against its model and the limits."""

from dataclasses import dataclass
from typing import Any

from gtcoder.errors import ConditionError
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where, from_json
from serve.formats import WRITERS, chosen
from serve.http.problems import ProblemError, invalid, refused
from serve.http.schemas import Sample
from serve.registry import Model


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequest:
    """Rows [`offset`, `offset + rows`) of a stream, and how they are written."""

    rows: int
    seed: int
    offset: int
    where: Where
    columns: tuple[str, ...] | None
    media_type: str


def checked(
    model: Model, wanted: Sample, *, seed: int, accept: str | None, most: int
) -> SampleRequest:
    """What is asked of a replica.

    Args:
        model: of which the rows are to be.
        wanted: what the client sent.
        seed: the client's, or one chosen here.
        accept: the client's header.
        most: rows that one sample may have.

    Raises:
        ProblemError: a field has a value it cannot have (422), or there is no such format (406).
    """
    if wanted.rows > most:
        raise invalid(
            "rows",
            f"expected at most {most:,}, found {wanted.rows:,}; ask for a bulk batch "
            f"(POST /v1/models/{model.name}/batches)",
        )
    if wanted.offset and wanted.seed is None:
        raise invalid("offset", "expected beside the seed whose rows are gone on with")
    media_type = chosen(accept, list(WRITERS))
    if media_type is None:
        raise ProblemError(406, "Not acceptable", f"Accept: expected one of {', '.join(WRITERS)}")
    return SampleRequest(
        rows=wanted.rows,
        seed=seed,
        offset=wanted.offset,
        where=conditions(model, wanted.where),
        columns=columns_of(model, wanted.columns) if wanted.columns is not None else None,
        media_type=media_type,
    )


def conditions(model: Model, where: Any) -> Where:
    """Conditions that a model can meet.

    Raises:
        ProblemError: it cannot (422).
    """
    try:
        plain = from_json(where if where is not None else [])
        constraints(model.bundle.codec, plain)
    except ConditionError as error:
        raise refused(error, "where") from error
    return plain


def columns_of(model: Model, names: list[str]) -> tuple[str, ...]:
    """Some of a model's columns.

    Raises:
        ProblemError: it has no such column, or one comes twice (422).
    """
    known = model.bundle.schema.names
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise invalid("columns", f"no column {unknown!r}; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise invalid("columns", "expected each column once")
    return tuple(names)
