"""One Arrow schema for files that were written at different times.

Only promotions that change no value are made: wider integers and reals, a finer unit of time,
a type where another file has nothing but nulls, text where another file has a dictionary of it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from gtcoder.errors import TableError


def unify(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """The schema that all files (path, schema) can be cast to; columns ordered as in the first.

    Raises:
        TableError: a column is missing from a file, or its types do not go together; the message
            names the column and both files.
    """
    first_path: str | None = None
    fields: dict[str, pa.Field] = {}
    origin: dict[str, str] = {}
    for path, schema in schemas:
        _no_twins(path, schema)
        if first_path is None:
            first_path = path
            fields = {field.name: field.remove_metadata() for field in schema}
            origin = dict.fromkeys(fields, path)
            continue
        _same_columns(first_path, fields, path, schema)
        for field in schema:
            known = fields[field.name]
            kind = _common(known.type, field.type)
            if kind is None:
                raise TableError(
                    f"column {field.name!r} has type {known.type} in {origin[field.name]} but "
                    f"{field.type} in {path}; write both with one type, or leave the column out "
                    f"with `exclude={[field.name]!r}`"
                )
            if kind != known.type:
                origin[field.name] = path
            fields[field.name] = pa.field(
                field.name, kind, nullable=known.nullable or field.nullable
            )
    return pa.schema(list(fields.values()))


def disagreeing(schemas: Sequence[tuple[str, pa.Schema]], names: Iterable[str]) -> list[str]:
    """Those of some columns that not all files have, or not with types that go together."""
    found = []
    for name in dict.fromkeys(names):
        alone = [
            (path, pa.schema([field for field in schema if field.name == name]))
            for path, schema in schemas
        ]
        if any(len(schema) for _, schema in alone):
            try:
                unify(alone)
            except TableError:
                found.append(name)
    return found


def without(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    """A schema less some columns."""
    gone = set(names)
    return pa.schema([field for field in schema if field.name not in gone])


def misfits(schemas: Sequence[tuple[str, pa.Schema]]) -> dict[str, TableError]:
    """The files whose schema does not go with that of most files, and why."""
    often = Counter(schema for _, schema in schemas)
    kept: list[tuple[str, pa.Schema]] = []
    odd: dict[str, TableError] = {}
    fits: dict[pa.Schema, bool] = {}
    for path, schema in sorted(schemas, key=lambda pair: -often[pair[1]]):
        if fits.get(schema):
            continue
        try:
            unify([*kept, (path, schema)])
        except TableError as error:
            odd[path] = error
        else:
            fits[schema] = True
            kept.append((path, schema))
    return odd


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type both can be cast to without changing a value; nothing if there is none."""
    if a == b:
        return a
    if pa.types.is_dictionary(a) != pa.types.is_dictionary(b):
        plain_a = a.value_type if pa.types.is_dictionary(a) else a
        plain_b = b.value_type if pa.types.is_dictionary(b) else b
        if pa.types.is_null(plain_a) or pa.types.is_null(plain_b):
            return a if pa.types.is_dictionary(a) else b
        return _common(plain_a, plain_b)
    if pa.types.is_string_view(a) and not pa.types.is_null(b):
        return _common(pa.string(), b)
    if pa.types.is_string_view(b) and not pa.types.is_null(a):
        return _common(a, pa.string())
    if not _alike(a, b):
        return None
    try:
        unified = pa.unify_schemas(
            [pa.schema([("x", a)]), pa.schema([("x", b)])], promote_options="permissive"
        )
    except pa.ArrowException:
        return None
    return unified.field("x").type


def _alike(a: pa.DataType, b: pa.DataType) -> bool:
    """Whether Arrow's own promotion of the two keeps every value."""
    binary = {pa.types.is_binary(t) or pa.types.is_large_binary(t) for t in (a, b)}
    real_and_decimal = {pa.types.is_floating(a), pa.types.is_floating(b)} == {True, False} and (
        pa.types.is_decimal(a) or pa.types.is_decimal(b)
    )
    either_null = pa.types.is_null(a) or pa.types.is_null(b)
    return either_null or (len(binary) == 1 and not real_and_decimal)


def _no_twins(path: str, schema: pa.Schema) -> None:
    for name, count in Counter(schema.names).items():
        if count > 1:
            raise TableError(f"{path} has two columns named {name!r}; rename one")


def _same_columns(
    first_path: str, fields: dict[str, pa.Field], path: str, schema: pa.Schema
) -> None:
    there = dict.fromkeys(schema.names)
    for one, two, names, others in (
        (first_path, path, fields, there),
        (path, first_path, there, fields),
    ):
        name = next((name for name in names if name not in others), None)
        if name is not None:
            raise TableError(
                f"column {name!r} of {one} is missing from {two}; leave it out with "
                f"`exclude={[name]!r}`, write it there too, or name only files that have it"
            )
