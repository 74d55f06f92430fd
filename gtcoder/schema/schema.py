"""What each column is: its kind, inferred from its Arrow type and its sketch, or set by the user.

The order, types and null rules of the table are kept as they are; kinds only say how a column is
learned.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import pyarrow as pa

from gtcoder import notebook
from gtcoder.errors import SchemaError
from gtcoder.schema.kind import UNLEARNED, Kind, infer_kind, possible_kinds
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.table import TableSketch
from gtcoder.table.memory import TableLike, to_arrow
from gtcoder.table.types import Family, family_of
from gtcoder.typos import listed, meant


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    kind: Kind
    type: pa.DataType
    nullable: bool
    note: str = ""
    """Why the column is not learned as it stands, if it is not."""

    @property
    def is_learned(self) -> bool:
        """Whether the network sees it."""
        return self.kind not in UNLEARNED


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns in the table's order, and the Arrow schema that output must have."""

    columns: tuple[Column, ...]
    arrow: pa.Schema
    rules: tuple[str, ...] | None = None
    """The rules between columns as the user wrote them; None where they are to be found."""

    @classmethod
    def infer(
        cls, arrow_schema: pa.Schema, sketch: TableSketch, exclude: Iterable[str] = ()
    ) -> Self:
        """The schema of a table, from its Arrow schema and its sketch.

        Raises:
            SchemaError: a column has a type no kind can hold, or `exclude` names no column.
        """
        left_out = set(exclude)
        for name in left_out:
            _known(name, arrow_schema.names)
        kept = pa.schema([f for f in arrow_schema if f.name not in left_out], arrow_schema.metadata)
        return cls(tuple(_infer_column(field, sketch.columns[field.name]) for field in kept), kept)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    @property
    def warnings(self) -> list[str]:
        """A line for each column that is not learned as it stands."""
        return [f"column {c.name!r}: {c.note}" for c in self.columns if c.note]

    def __getitem__(self, name: str) -> Column:
        return self.columns[_known(name, self.names)]

    def override(self, plain: Mapping[str, Any]) -> Self:
        """The schema with kinds set by the user: `{"columns": {"age": {"kind": "integer"}}}`.

        A `type` beside them is for whoever reads the table; with a type of its own a column keeps
        its inferred kind where the one set is not for it.

        And with rules, all that are to be kept: `{"rules": ["start <= end"]}`.

        Raises:
            SchemaError: no such column or kind, or the kind cannot hold the column's type.
        """
        settings = _column_settings(plain)
        places = {_known(name, self.names): setting for name, setting in settings.items()}
        columns = tuple(
            _with_kind(column, places[at]) if at in places else column
            for at, column in enumerate(self.columns)
        )
        return replace(self, columns=columns, rules=_rules(plain, self.rules))

    def noted(self, notes: Mapping[str, str]) -> Self:
        """The schema with notes on columns that have none yet."""
        columns = tuple(
            replace(c, note=notes[c.name]) if notes.get(c.name) and not c.note else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def with_rules(self, rules: Iterable[str]) -> Self:
        """The schema with rules between its columns, as they are written."""
        return replace(self, rules=tuple(rules))

    def exclude(self, names: Iterable[str]) -> Self:
        """The schema without some columns."""
        gone = {_known(name, self.names) for name in names}
        kept = [at for at in range(len(self.columns)) if at not in gone]
        arrow = pa.schema([self.arrow.field(at) for at in kept], self.arrow.metadata)
        return type(self)(tuple(self.columns[at] for at in kept), arrow)

    @classmethod
    def of(cls, table: TableLike, exclude: Iterable[str] = ()) -> Self:
        """The schema of a table in memory, as `Synthesizer.fit` would take it.

        >>> print(Schema.of(df))  # doctest: +SKIP
        >>> Synthesizer(schema=Schema.of(df).editable())  # doctest: +SKIP

        Raises:
            TableError: it is no table, or a column holds values of several types.
            SchemaError: a column has a type no kind can hold.
        """
        from gtcoder.rules.found import lines_of  # the one import up the flow: for people alone

        arrow, left_out = to_arrow(table), [str(name) for name in exclude]
        kept = [name for name in arrow.column_names if name not in left_out]
        sketch = TableSketch.of(arrow.select(kept))
        schema = cls.infer(arrow.schema, sketch, left_out)
        return schema.with_rules(lines_of(arrow, schema, sketch))

    def editable(self) -> dict[str, Any]:
        """The kinds as plain JSON values that a person can edit and `override` takes back."""
        return {
            "columns": {
                c.name: {
                    "kind": c.kind.value,
                    "type": str(c.type),
                    "could_be": [kind.value for kind in possible_kinds(c.type)],
                    **({"note": c.note} if c.note else {}),
                }
                for c in self.columns
            },
            **({} if self.rules is None else {"rules": list(self.rules)}),
        }

    def __str__(self) -> str:
        """A line for each column: name, kind, type and note; then one for each rule."""
        names = max(map(len, self.names), default=0)
        kinds = max((len(column.kind) for column in self.columns), default=0)
        types = max((len(str(column.type)) for column in self.columns), default=0)
        lines = (
            f"{c.name:<{names}}  {c.kind:<{kinds}}  {c.type!s:<{types}}  {c.note}".rstrip()
            for c in self.columns
        )
        return "\n".join([*lines, *(f"rule: {rule}" for rule in self.rules or ())])

    def _repr_html_(self) -> str:
        """The same as a table and a list, for notebooks."""
        rows = [(c.name, c.kind.value, str(c.type), c.note) for c in self.columns]
        told = notebook.paragraph("Rules") + notebook.bullets(self.rules) if self.rules else ""
        return notebook.table(("column", "kind", "type", "note"), rows) + told

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain JSON values; `arrow` is Arrow's own serialisation in base 64."""
        columns = {
            c.name: {
                "kind": c.kind.value,
                "type": str(c.type),
                "nullable": c.nullable,
                **({"note": c.note} if c.note else {}),
            }
            for c in self.columns
        }
        arrow = base64.b64encode(self.arrow.serialize().to_pybytes()).decode("ascii")
        return {"columns": columns, "arrow": arrow}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(plain["arrow"])))
        columns = tuple(
            Column(
                name=field.name,
                kind=Kind(plain["columns"][field.name]["kind"]),
                type=field.type,
                nullable=field.nullable,
                note=plain["columns"][field.name].get("note", ""),
            )
            for field in arrow
        )
        return cls(columns, arrow)


def _known(name: str, names: list[str]) -> int:
    """The place of a column."""
    if name in names:
        return names.index(name)
    raise SchemaError(
        f"column {name!r}: expected one of {listed(names)}; found no such column"
        f"{meant(name, names)}"
    )


def _column_settings(plain: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    unknown = sorted(set(plain) - {"columns", "arrow", "rules"})
    columns = plain.get("columns", {} if "rules" in plain else None)
    if unknown or not isinstance(columns, Mapping):
        raise SchemaError(
            'schema: expected {"columns": {NAME: {"kind": KIND}}}, found the keys '
            f"{', '.join(map(repr, plain)) or 'none'}; write the columns under 'columns'"
        )
    for name, setting in columns.items():
        if not isinstance(setting, Mapping) or not {"kind", "type"} & set(setting):
            raise SchemaError(
                f'column {name!r}: expected {{"kind": KIND}}, found {setting!r}; '
                f"KIND is one of {', '.join(Kind)}"
            )
    return columns


def _rules(plain: Mapping[str, Any], usual: tuple[str, ...] | None) -> tuple[str, ...] | None:
    rules = plain.get("rules", usual)
    if rules is None:
        return None
    if isinstance(rules, str) or not all(isinstance(rule, str) for rule in rules):
        raise SchemaError(
            f"schema: expected a list of rules as texts, found {rules!r}; write "
            '{"rules": ["start <= end"]}'
        )
    return tuple(rules)


def _with_kind(column: Column, setting: Mapping[str, Any]) -> Column:
    word = str(setting.get("kind", column.kind))
    if word not in list(Kind):
        raise SchemaError(
            f"column {column.name!r}: expected a kind out of {', '.join(Kind)}; found {word!r}"
            f"{meant(word, Kind)}"
        )
    kind = Kind(word)
    if kind is column.kind:
        return column
    possible = possible_kinds(column.type)
    if kind not in possible and setting.get("type") == str(column.type):
        return column
    if kind not in possible:
        raise SchemaError(
            f"column {column.name!r}: expected a kind that holds {column.type} "
            f"({', '.join(possible) or 'none but its own'}); found {word!r}; change the kind, "
            "or the column's type in the table"
        )
    return replace(column, kind=kind, note=_NOTES.get(kind, ""))


_NOTES = {
    Kind.IDENTIFIER: "every value is its own: regenerated, not learned",
    Kind.PATTERN: "hardly a value is shared by 5 rows: made afresh in their shape, not learned",
    Kind.TEXT: "free text: left out, empty in the output",
}


def _infer_column(field: pa.Field, sketch: ColumnSketch) -> Column:
    family = family_of(field.type)
    if family is Family.UNSUPPORTED:
        raise SchemaError(
            f"column {field.name!r}: expected numbers, text, dates, times or booleans; found "
            f"{field.type}; leave it out with `exclude={[field.name]!r}`, or flatten it"
        )
    kind = infer_kind(field.name, sketch)
    note = _NOTES.get(kind, "")
    if family is Family.BINARY:
        note = f"{field.type} is not learned: left out, empty in the output"
    return Column(name=field.name, kind=kind, type=field.type, nullable=field.nullable, note=note)
