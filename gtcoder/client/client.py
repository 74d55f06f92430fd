"""What can be asked of a service, as Python."""

import secrets
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from gtcoder.client.batch import BulkBatch
from gtcoder.client.given import body_of, index_of, told_scores
from gtcoder.client.rows import drawn
from gtcoder.client.service import Service
from gtcoder.errors import ConfigError
from gtcoder.table.memory import TableLike
from gtcoder.where.written import Where

_SEEDS = 2**53
"""Seeds chosen here are whole numbers that any JSON reader keeps exactly."""


class Client:
    """Asks a service for rows, what rows lack, scores, explanations and bulk batches."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, key: str | None = None, timeout_s: float = 300
    ) -> None:
        """Connect when first asked.

        Args:
            url: where the service is.
            key: a bearer key, where the service wants one.
            timeout_s: seconds without an answer after which to give up.

        Raises:
            GTCoderError: httpx is not installed.
        """
        self._service = Service(url, key, timeout_s)

    def models(self) -> list[str]:
        """The names of the models."""
        return [model["name"] for model in self._service.json("GET", "/v1/models")["models"]]

    def model(self, model: str) -> dict[str, Any]:
        """A model's columns: kinds, categories or ranges, and what may be conditioned on."""
        return self._service.json("GET", f"/v1/models/{model}")

    def sample(
        self,
        model: str,
        n: int,
        *,
        where: Where | None = None,
        columns: list[str] | None = None,
        seed: int | None = None,
        start: int = 0,
        parallel: int = 1,
    ) -> pd.DataFrame:
        """Rows as a DataFrame; see `sample_arrow`."""
        return self.sample_arrow(
            model, n, where=where, columns=columns, seed=seed, start=start, parallel=parallel
        ).to_pandas()

    def sample_arrow(
        self,
        model: str,
        n: int,
        *,
        where: Where | None = None,
        columns: list[str] | None = None,
        seed: int | None = None,
        start: int = 0,
        parallel: int = 1,
    ) -> pa.Table:
        """Rows as an Arrow table, with exactly the types of the table learned from.

        Where a connection breaks, what has come is kept, and only the rest is asked for.

        Args:
            model: the model's name.
            n: how many rows.
            where: conditions every row meets, as in `Synthesizer.sample`.
            columns: the columns wanted; all if not given.
            seed: the same seed gives the same rows; one chosen at random if not given.
            start: how many rows of the seed's stream come before these, as in `Synthesizer.sample`.
            parallel: ask for so many parts at once; each may have as many rows as the service
                gives in one sample.

        Raises:
            ConfigError: `start` or `parallel` is less than it can be.
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        if start < 0 or parallel < 1:
            raise ConfigError(f"expected start from 0, parallel from 1, not {start}, {parallel}")
        seed = secrets.randbelow(_SEEDS) if seed is None else seed
        body = _said(where=_plain(where), columns=columns, seed=seed)
        path = f"/v1/models/{model}/sample"
        return drawn(self._service, path, body, range(start, start + n), parallel)

    def complete(
        self,
        model: str,
        table: TableLike,
        columns: Sequence[str] = (),
        n: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Draw what is missing of rows, to go with what they have, as `Synthesizer.complete`.

        Args:
            model: the model's name.
            table: rows of the model's kind, as many as the service explains; a column that it
                lacks is drawn whole, and one that the model lacks is left out.
            columns: are drawn whole as well.
            n: so many draws of each row, told apart by the index's first level, `draw`; omitted,
                one.
            seed: the same seed gives the same rows; one chosen at random if not given.

        Returns:
            A row for each row of `table`, with its index and exactly the types learned.

        Warns:
            UserWarning: cells were drawn that do not go with others by a rule.

        Raises:
            TableError: it is no table, or its values do not convert.
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        seed, draws = secrets.randbelow(_SEEDS) if seed is None else seed, 1 if n is None else n
        sent = body_of(table, self._schema(model), columns=list(columns), seed=seed, n=draws)
        sent["headers"]["Accept"] = "application/vnd.apache.arrow.stream"
        answer = self._service.answer("POST", f"/v1/models/{model}/complete", **sent)
        if broken := int(answer.headers["GTCoder-Broken"]):
            warnings.warn(
                f"in {broken:,} rows a cell was drawn that does not go with those there by a rule",
                stacklevel=2,
            )
        done = pa.ipc.open_stream(answer.content).read_all().to_pandas()
        index = index_of(table, len(done) // draws)
        if n is None:
            return done.set_axis(index)
        parts = [done[at * len(index) : (at + 1) * len(index)].set_axis(index) for at in range(n)]
        return pd.concat(parts, keys=range(n), names=["draw"])

    def score(self, model: str, table: TableLike, columns: bool = False) -> pd.DataFrame:
        """How likely each row is, and which column surprises most, as `Synthesizer.score`.

        Args:
            model: the model's name.
            table: rows with all columns of the model, as many as the service explains.
            columns: also tell how much each column surprises.

        Returns:
            A row for each row of `table`, with its index.

        Raises:
            TableError: it is no table, or its values do not convert.
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        sent = body_of(table, self._schema(model), columns=columns)
        told = self._service.json("POST", f"/v1/models/{model}/score", **sent)["rows"]
        return told_scores(told).set_axis(index_of(table, len(told)))

    def _schema(self, model: str) -> pa.Schema:
        """The exact types of a model's rows, which a row has."""
        return self.sample_arrow(model, 1, seed=0).schema

    def explain(self, model: str, rows: pd.DataFrame | None = None) -> dict[str, Any]:
        """Contributions of columns and the attention between them: the model's, or of given rows.

        Of the rows, columns that the model lacks are left out.

        Raises:
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        if rows is None:
            return self._service.json("POST", f"/v1/models/{model}/explain", json={})
        sent = body_of(rows, self._schema(model))
        return self._service.json("POST", f"/v1/models/{model}/explain", **sent)

    def heat_map(self, model: str) -> bytes:
        """The attention between columns as a PNG."""
        path, accept = f"/v1/models/{model}/explain", {"Accept": "image/png"}
        return bytes(self._service.answer("POST", path, json={}, headers=accept).content)

    def start_batch(
        self,
        model: str,
        n: int,
        *,
        where: Where | None = None,
        seed: int | None = None,
        output: str | None = None,
        rows_per_file: int | None = None,
        idempotency_key: str | None = None,
    ) -> BulkBatch:
        """Begin to write rows as Parquet files on the service's storage.

        Args:
            model: the model's name.
            n: how many rows.
            where: conditions every row meets.
            seed: the same seed gives the same rows.
            output: folder below the service's batch root.
            rows_per_file: rows of every file but the last.
            idempotency_key: the same key means the same batch, also after a failure; one is made
                up, and is the result's `idempotency_key`, if none is given.

        Raises:
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        body = _said(
            rows=n, where=_plain(where), seed=seed, output=output, rows_per_file=rows_per_file
        )
        key = idempotency_key or uuid.uuid4().hex
        path = f"/v1/models/{model}/batches"
        state = self._service.json("POST", path, json=body, headers={"Idempotency-Key": key})
        return BulkBatch(self._service, state, key)

    def batch(self, batch_id: str) -> BulkBatch:
        """A batch begun earlier."""
        return BulkBatch(self._service, self._service.json("GET", f"/v1/batches/{batch_id}"))

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _plain(where: Where | None) -> object:
    """Conditions as JSON."""
    if where is None or isinstance(where, str):
        return where if where is None else [where]
    if not isinstance(where, Mapping):
        return list(where)
    return {name: _plain_value(value) for name, value in where.items()}


def _plain_value(value: object) -> object:
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ConfigError(f"expected a range (FROM, TO), found {value!r}")
        return {"from": _plain_value(value[0]), "to": _plain_value(value[1])}
    if isinstance(value, list | set | frozenset):
        return [_plain_value(each) for each in value]
    if isinstance(value, Mapping):
        return {"mix": dict(value)}
    return value if isinstance(value, bool | int | float | str | None) else str(value)
