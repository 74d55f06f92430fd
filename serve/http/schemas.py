"""What requests and responses look like: the service's contract, with examples for /docs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.http.links import LINKED

_WHERE = (
    'Conditions that all rows meet: texts such as `["age>=65"]`, or an object of columns such as '
    '`{"age": {"from": 65}, "sex": "Female"}`, where a value, a list of which any will do, null '
    'for missing, or a range are possible. `"fraud~yes:0.3"` or `{"fraud": {"mix": {"yes": '
    '0.3}}}` asks for shares of a column\'s categories instead, `"fraud~"` for equal ones.'
)
_SEED = "The same seed gives the same rows; chosen at random when it is left out."

Where = list[str] | dict[str, Any]


class Asked(BaseModel):
    """Base of requests: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Sample(Asked):
    """Rows wanted now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rows": 5, "seed": 7},
                {"rows": 1000, "seed": 7, "offset": 4000},
            ]
        }
    )

    rows: int = Field(description="How many.", ge=1)
    seed: int | None = Field(None, description=_SEED, ge=0, le=2**63 - 1)
    offset: int = Field(
        0,
        description="Rows of the seed's endless stream that come before these, and cost nothing: "
        "5 rows, and 5 more from offset 5 on, are the 10 rows of that seed.",
        ge=0,
        le=2**53,
    )
    where: Where | None = Field(None, description=_WHERE)
    columns: list[str] | None = Field(
        None, description="The columns wanted, in this order; all when left out.", min_length=1
    )


class Explain(Asked):
    """What is to be explained: the model, or given rows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    rows: list[dict[str, Any]] | None = Field(
        None,
        description='Rows as records, such as `[{"age": 38, "sex": "Female"}]`; a column that is '
        "left out is missing.",
        min_length=1,
    )


_GIVEN = (
    'Rows as records, such as `[{"age": 38, "sex": null}]`, where a number may be a text such as '
    '`"38"`; null is missing'
)


class Complete(Asked):
    """Rows of which something is missing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"rows": [{"colour": "red", "size": None}, {"colour": "blue"}], "seed": 7}]
        }
    )

    rows: list[dict[str, Any]] = Field(
        description=f"{_GIVEN}, as is what one row lacks; a column that all lack is drawn whole.",
        min_length=1,
    )
    columns: list[str] = Field([], description="Are drawn whole, as if no row had them.")
    seed: int | None = Field(
        None,
        description="The same seed completes the same rows alike; chosen at random when left out.",
        ge=0,
        le=2**63 - 1,
    )
    n: int = Field(1, description="So many draws of each row.", ge=1, le=20)


class Score(Asked):
    """Rows whose likelihood is asked for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rows": [{"colour": "red", "size": 9.5, "count": 3}]}]}
    )

    rows: list[dict[str, Any]] = Field(description=f"{_GIVEN}.", min_length=1)
    columns: bool = Field(False, description="Also tell how much each column surprises.")


class BatchWanted(Asked):
    """Rows wanted later, as Parquet files."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": 100_000, "seed": 7}]})

    rows: int = Field(description="How many.", ge=1)
    seed: int | None = Field(None, description=_SEED, ge=0, le=2**63 - 1)
    where: Where | None = Field(None, description=_WHERE)
    output: str | None = Field(
        None,
        description="Folder below the batch root; the batch's id when left out.",
        max_length=512,
    )
    rows_per_file: int = Field(
        250_000, description="Rows of every file but the last.", ge=1, le=5_000_000
    )


class LinkWanted(Asked):
    """What a browser is to open or save by itself."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"path": "/v1/models/claims/report"}]}
    )

    path: str = Field(
        description="Of a model's report, `/v1/models/NAME/report`, or of a batch's file, its "
        "`url`.",
        pattern=f"^{LINKED}$",
    )


class Link(BaseModel):
    """A link that opens one path without a key."""

    url: str
    until: str = Field(description="When it ends.")


class ModelName(BaseModel):
    """A model that can be asked for."""

    name: str
    url: str


class ModelList(BaseModel):
    """The models, and what may be asked of them."""

    models: list[ModelName]
    most_rows: int = Field(description="Rows that one sample may have; more are a batch's.")
    most_given: int = Field(description="Rows that may be sent at once to complete or score.")
    batches: bool = Field(description="Whether there are bulk batches.")


class Column(BaseModel):
    """What is known of a column."""

    name: str
    type: str = Field(description="Its Arrow type.")
    kind: str
    conditions: bool = Field(description="Whether `where` may name it.")
    categories: list[Any] | None = Field(None, description="The categories known, if it has such.")
    categories_in_all: int | None = None
    low: Any = Field(None, description="The least value, where values have an order.")
    high: Any = Field(None, description="The greatest.")
    missing: bool | None = Field(None, description="Whether values may be missing.")
    rule: str | None = Field(None, description="What it follows from, if it is not learned itself.")


class Report(BaseModel):
    """A report of how good a model's rows are."""

    url: str
    written: str = Field(description="When; one from before its bundle is of another.")


class ModelInfo(BaseModel):
    """What is known of a model."""

    name: str
    checksum: str = Field(description="Of its bundle.")
    rows_trained_on: int | None
    written: str = Field(description="When its bundle was.")
    report: Report | None = Field(None, description="Its report, if there is one.")
    completes: bool = Field(
        description="Whether it completes rows and tells what surprises in them; a model of the "
        "paper's preset does not."
    )
    columns: list[Column]


class Dependence(BaseModel):
    """What columns tell of one another beyond what all others tell."""

    rows: int = Field(description="Rows that it is the mean of.")
    columns: list[str] = Field(description="Those that are read most, in the table's order.")
    nats: list[list[float]] = Field(
        description="Symmetric, in the order of `columns`; 0 where two tell nothing."
    )


class Explanation(BaseModel):
    """Which columns drive the fused representation of rows, and which attend to which."""

    rows: int = Field(description="Rows that were looked at.")
    columns: list[str] = Field(description="In the order of the matrix.")
    contributions: dict[str, float] = Field(description="Shares of [CLS]'s attention; sum to 1.")
    matrix: list[list[float]] = Field(
        description="What each column attends to, in the order of `columns`; rows sum to 1."
    )
    dependence: Dependence | None = Field(
        None, description="Of the model alone, and only where it completes rows."
    )
    each: list[list[float]] | None = Field(
        None, description="Contributions in each given row, in the order of `columns`."
    )


class Completed(BaseModel):
    """Rows of which nothing is missing any more, but what rules want so."""

    rows: list[dict[str, Any]] = Field(
        description="All rows in the order given, once for each draw, one draw after another."
    )
    seed: int
    filled: int = Field(description="Cells that were drawn.")
    broken: int = Field(
        description="Rows in which a cell that was drawn does not go with those there by a rule."
    )


class RowScore(BaseModel):
    """How likely a row is, in nats."""

    log_likelihood: float | None = Field(description="To compare with other rows of the model.")
    standard_error: float | None = Field(description="Of the log-likelihood's estimate.")
    most_surprising: str | None = Field(
        description="The column with the largest excess, or those of a rule that the row breaks."
    )
    excess: float | None = Field(
        description="How much less likely its value is, given the row's others, than in general."
    )
    surprises: dict[str, float | None] | None = Field(
        None, description="-log p of each column's value, given all others; where asked for."
    )


class Scores(BaseModel):
    """How likely rows are."""

    rows: list[RowScore]


class File(BaseModel):
    """A file of a batch."""

    name: str
    bytes: int
    url: str = Field(description="Where this service gives it.")
    uri: str = Field(description="Where it lies.")


State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Batch(BaseModel):
    """A bulk batch."""

    id: str
    model: str
    state: State
    message: str | None = Field(None, description="What went wrong, and what to do.")
    rows: int
    rows_written: int = Field(description="Rows in files that are whole.")
    rows_per_s: float | None = None
    seconds_left: float | None = None
    seed: int
    where: Where | None
    checksum: str = Field(description="Of the bundle it draws from.")
    output: str = Field(description="Where its files lie.")
    created: str
    files: list[File] | None = None


class BatchList(BaseModel):
    """Batches of the key's owner, the newest first."""

    batches: list[Batch]
    next: str | None = Field(None, description="`after` of the next page; null on the last.")


class ProblemBody(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class Health(BaseModel):
    """The service is alive."""

    status: Literal["ok"] = "ok"
    models: int
