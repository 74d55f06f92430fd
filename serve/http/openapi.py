"""What the OpenAPI document says beside the calls: which problems each may have, and the key."""

from typing import Any

from fastapi import FastAPI

from serve.http.problems import MEDIA_TYPE
from serve.http.schemas import ProblemBody

Responses = dict[int | str, dict[str, Any]]

_KEYED = (401, 503)
_SENT = (400, 408, 413, 415, 422)
_SAID = {
    400: "The body cannot be read as JSON.",
    401: "The bearer key is missing or wrong.",
    404: "There is no such model, batch or file.",
    406: "No such format.",
    408: "The body does not come.",
    409: "The key or the output belongs to another batch.",
    413: "The body is larger than allowed.",
    415: "There is a body, and Content-Type does not say that it is JSON.",
    416: "There is no such range.",
    422: "A field has a value it cannot have; the field is named.",
    503: "The service is full or a bundle cannot be read; see Retry-After.",
}


def problems(*statuses: int, body: bool = False) -> Responses:
    """The problems of a call that needs a key.

    Args:
        statuses: those of its own.
        body: whether it takes a body, and has the problems of one.
    """
    return {
        status: _problem(_SAID[status])
        for status in sorted({*_KEYED, *statuses, *(_SENT if body else ())})
    }


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def describe(app: FastAPI) -> None:
    """Say in the OpenAPI document that calls take a bearer key, if there are any."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        schemas = schema["components"]
        schemas.setdefault("securitySchemes", {})["key"] = {"type": "http", "scheme": "bearer"}
        schemas["schemas"].setdefault("ProblemBody", ProblemBody.model_json_schema())
        schema["security"] = [{"key": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
