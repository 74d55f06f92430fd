"""Errors as RFC 9457 problem+json: what was wrong, in which field, what is allowed.

Nothing that a client sent, but for names of fields and values of conditions, comes back or is kept.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gtcoder.errors import ConditionError, GTCoderError

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """What a request cannot have, with the status and the field."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.field, self.retry_after_s = field, retry_after_s

    def response(self) -> JSONResponse:
        """As the client sees it."""
        errors = [{"field": self.field, "detail": self.detail}] if self.field else None
        headers = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(self.status, self.title, self.detail, errors=errors, headers=headers)


def invalid(field: str, detail: str) -> ProblemError:
    """A field of the request that has a value it cannot have."""
    return ProblemError(422, "Invalid request", detail, field=field)


def full(what: str, retry_after_s: int) -> ProblemError:
    """The service has as much to do as it may have."""
    return ProblemError(
        503, "Service is full", f"{what}; try again later", retry_after_s=retry_after_s
    )


def unreadable(model: str, error: GTCoderError) -> ProblemError:
    """A bundle that cannot be read, or not be drawn from."""
    detail = f"the bundle of {model!r} cannot be read: {error}"
    return ProblemError(503, "Bundle cannot be read", detail, retry_after_s=10)


def unauthorized() -> ProblemError:
    """A request without one of the keys."""
    detail = "expected the header `Authorization: Bearer KEY` with a key of this service"
    return ProblemError(401, "Unauthorized", detail)


def refused(error: GTCoderError, field: str) -> ProblemError:
    """What the library found wrong with a request."""
    return invalid("where" if isinstance(error, ConditionError) else field, str(error))


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem+json response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Answer all errors of an app with problem+json."""
    app.add_exception_handler(ProblemError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _storage)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response()


async def _storage(request: Request, error: Exception) -> JSONResponse:
    detail = " ".join(str(error).split()) or type(error).__name__
    return problem(503, "Storage fails", detail, headers={"Retry-After": "10"})


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    detail = "something that should not happen; the service's log says more"
    if isinstance(error, GTCoderError):
        detail = str(error)
    return problem(500, "Internal error", detail)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes) and error.body:  # it was not even read as JSON
        detail = "the body is read with the header `Content-Type: application/json` only"
        return problem(415, "Unsupported media type", detail)
    found = [{"field": _field(one), "detail": one["msg"]} for one in error.errors()]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in found)
    return problem(422, "Invalid request", detail, errors=jsonable_encoder(found))


def _field(error: dict[str, Any]) -> str:
    path = () if error["type"] == "json_invalid" else error["loc"][1:]  # else where the text breaks
    return ".".join(map(str, path)) or "body"


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    return problem(error.status_code, detail, detail, headers=error.headers)
