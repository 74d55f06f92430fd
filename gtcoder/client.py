"""A client of the service: `pip install "gtcoder[client]"`.

>>> client = Client("http://localhost:8000", key="...")  # doctest: +SKIP
>>> client.sample("claims", 1000, where={"age": (65, None)}, seed=7)  # doctest: +SKIP
"""

import io
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from gtcoder.errors import ConfigError, GTCoderError, ServiceError
from gtcoder.where.written import Where

_ARROW = "application/vnd.apache.arrow.stream"
_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries of one call, where the service does not say how long."""
_LOOK_S = 1.0


class Client:
    """Asks a service for rows, explanations and bulk batches."""

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
        try:
            import httpx
        except ImportError as error:
            raise GTCoderError('the client needs httpx: pip install "gtcoder[client]"') from error
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._service = _Service(httpx.Client(base_url=url, headers=headers, timeout=timeout_s))

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
    ) -> pd.DataFrame:
        """Rows as a DataFrame; see `sample_arrow`."""
        return self.sample_arrow(model, n, where=where, columns=columns, seed=seed).to_pandas()

    def sample_arrow(
        self,
        model: str,
        n: int,
        *,
        where: Where | None = None,
        columns: list[str] | None = None,
        seed: int | None = None,
    ) -> pa.Table:
        """Rows as an Arrow table, with exactly the types of the table learned from.

        Args:
            model: the model's name.
            n: how many rows.
            where: conditions every row meets, as in `Synthesizer.sample`.
            columns: the columns wanted; all if not given.
            seed: the same seed gives the same rows; one chosen at random if not given.

        Raises:
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        body = _said(rows=n, where=_plain(where), columns=columns, seed=seed)
        path = f"/v1/models/{model}/sample"
        content = self._service.answer("POST", path, json=body, headers={"Accept": _ARROW}).content
        return pa.ipc.open_stream(content).read_all()

    def explain(self, model: str, rows: pd.DataFrame | None = None) -> dict[str, Any]:
        """Contributions of columns and the attention between them: the model's, or of given rows.

        Raises:
            ServiceError: the service refuses, with its reason, or cannot be reached.
        """
        if rows is None:
            return self._service.json("POST", f"/v1/models/{model}/explain", json={})
        records = rows.to_json(orient="records", date_format="iso", date_unit="us")
        return self._service.json(
            "POST",
            f"/v1/models/{model}/explain",
            content=b'{"rows":' + records.encode() + b"}",
            headers={"Content-Type": "application/json"},
        )

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
    ) -> "BulkBatch":
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

    def batch(self, batch_id: str) -> "BulkBatch":
        """A batch begun earlier."""
        return BulkBatch(self._service, self._service.json("GET", f"/v1/batches/{batch_id}"))

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class BulkBatch:
    """A bulk batch on the service."""

    def __init__(self, service: "_Service", state: dict[str, Any], key: str | None = None) -> None:
        self._service, self.state = service, state
        self.idempotency_key = key
        """By which `start_batch` goes on with it after a failure; None if found by its id."""

    @property
    def id(self) -> str:
        """What it is found by again."""
        return str(self.state["id"])

    def refresh(self) -> dict[str, Any]:
        """How far it is now."""
        self.state = self._service.json("GET", f"/v1/batches/{self.id}")
        return self.state

    def wait(self, *, progress: bool = False, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until it has ended.

        Args:
            progress: say on standard error how far it is.
            timeout_s: seconds to wait at most.

        Raises:
            ServiceError: it failed or was cancelled, or time is up.
        """
        until = time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
        while self.state["state"] in ("queued", "running"):
            if time.monotonic() > until:
                raise ServiceError(f"batch {self.id} has not ended after {timeout_s} s")
            time.sleep(_LOOK_S)
            self.refresh()
            if progress:
                print(_progress(self.state), end="\r", file=sys.stderr, flush=True)
        if progress:
            print(file=sys.stderr)
        if self.state["state"] != "succeeded":
            raise ServiceError(f"batch {self.id} {self.state['state']}: {self.state['message']}")
        return self.state

    def cancel(self) -> dict[str, Any]:
        """Stop it."""
        self.state = self._service.json("DELETE", f"/v1/batches/{self.id}")
        return self.state

    def download(self, name: str) -> pa.Table:
        """One of its files as an Arrow table."""
        import pyarrow.parquet as pq

        path = f"/v1/batches/{self.id}/files/{name}"
        content = self._service.answer("GET", path, follow_redirects=True).content
        return pq.read_table(io.BytesIO(content))


class _Service:
    """The service at the other end; what it refuses is an error."""

    def __init__(self, http: Any) -> None:
        self._http = http
        self._answered = False

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """An answer in JSON."""
        answer: dict[str, Any] = self.answer(method, path, **options).json()
        return answer

    def answer(self, method: str, path: str, **options: Any) -> Any:
        """The answer; a service that is full, or whose replica died at work, is asked again.

        No call does harm when it comes twice: rows follow from a seed, batches have a key.
        """
        import httpx

        for wait_s in (*_WAITS_S, None):
            try:
                answer = self._http.request(method, path, **options)
            except httpx.HTTPError as error:
                broken = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
                if wait_s is None or not (broken and self._answered):
                    raise ServiceError(
                        f"{self._http.base_url}: the service does not answer ({error}); see that "
                        "it runs there"
                    ) from error
            else:
                self._answered = True
                if wait_s is None or not _may_pass(answer):
                    break
                wait_s = float(answer.headers.get("Retry-After", wait_s))
            time.sleep(wait_s)
        if answer.is_error:
            raise ServiceError(_reason(answer))
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _may_pass(answer: Any) -> bool:
    """Whether an error is not the service's last word: it is full, or did not get to say one."""
    says = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    return answer.status_code == 503 or (answer.is_server_error and not says)


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
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _reason(answer: Any) -> str:
    try:
        problem = answer.json()
        return f"{problem['title']} ({problem['status']}): {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the service answered {answer.status_code}"


def _progress(state: Mapping[str, Any]) -> str:
    share = state["rows_written"] / max(state["rows"], 1)
    left = state["seconds_left"]
    ending = f", {left:.0f} s left" if left is not None else ""
    return f"{state['state']}: {share:.0%}, {state['rows_written']:,} rows{ending}    "
