"""The HTTP interface: routes, and what /docs says of them. All work is `Service`'s."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Request, Response
from fastapi.responses import RedirectResponse
from ray import serve
from starlette.responses import FileResponse

from gtcoder import __version__
from gtcoder.table.files import is_local, signed_url
from serve.formats import WRITERS, chosen
from serve.http.bodies import BodyLimit, Streamed
from serve.http.counted import CountedAnswers
from serve.http.problems import MEDIA_TYPE, ProblemError, handle_problems, unauthorized
from serve.http.schemas import (
    Batch,
    BatchList,
    BatchWanted,
    Explain,
    Explanation,
    Health,
    ModelInfo,
    ModelList,
    ModelName,
    ProblemBody,
    Sample,
)
from serve.service import Service
from serve.settings import MODEL_NAME

_LINK_S = 3600
_PICTURE = "image/png"


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem("The body cannot be read as JSON."),
    401: _problem("The bearer key is missing or wrong."),
    404: _problem("There is no such model, batch or file."),
    413: _problem("The body is larger than allowed."),
    422: _problem("A field has a value it cannot have; the field is named."),
    503: _problem("The service is full or a bundle cannot be read; see Retry-After."),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_RECORDS = {"schema": {"type": "array", "items": {"type": "object"}}}
_ROWS = {
    200: {
        "description": "The rows, in the format that Accept names.",
        "content": {
            media: _RECORDS if media == "application/json" else _BINARY for media in WRITERS
        },
    },
    406: _problem("No such format."),
}


def _here() -> Service:
    replica: Any = serve.get_replica_context().servable_object
    service: Service = replica.service
    return service


async def _service(request: Request) -> Service:  # not async, it would run in a thread
    service: Service = request.app.state.service()
    return service


async def _admitted(
    service: Annotated[Service, Depends(_service)],
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Service:
    if not service.keys.admit(authorization):
        raise unauthorized()
    return service


async def _counted(
    service: Annotated[Service, Depends(_admitted)],
) -> AsyncIterator[Service]:
    with service.at_work():
        yield service


Admitted = Annotated[Service, Depends(_admitted)]
Counted = Annotated[Service, Depends(_counted)]
Name = Annotated[str, Path(pattern=f"^{MODEL_NAME}$", description="The model's name.")]
BatchId = Annotated[str, Path(description="The batch's id.", max_length=64)]
Accept = Annotated[str | None, Header(include_in_schema=False)]


def make_app(service: Callable[[], Service] = _here) -> FastAPI:
    """The app; it finds its service when a request comes."""
    app = FastAPI(
        title="GTCoder",
        version=__version__,
        description="Synthetic rows, explanations and bulk batches from trained bundles.",
        responses=_PROBLEMS,
    )
    app.state.service = service
    handle_problems(app)
    app.add_middleware(
        BodyLimit,
        limit=lambda: service().settings.limits.body_bytes,
        admits=lambda authorization: service().keys.admit(authorization),
    )
    app.add_middleware(CountedAnswers, saw=lambda *seen: service().saw(*seen))
    _add_models(app)
    _add_batches(app)
    _describe(app)
    return app


def _add_models(app: FastAPI) -> None:
    @app.get("/healthz", tags=["models"], summary="Whether the service is alive")
    async def healthz(service: Annotated[Service, Depends(_service)]) -> Health:
        return Health(models=len(service.registry.models))

    @app.get("/v1/models", tags=["models"], summary="The models")
    async def models(service: Admitted) -> ModelList:
        names = sorted(service.registry.models)
        return ModelList(models=[ModelName(name=n, url=f"/v1/models/{n}") for n in names])

    @app.get("/v1/models/{model}", tags=["models"], summary="A model and its columns")
    async def model(model: Name, service: Admitted) -> ModelInfo:
        return await service.describe(model)

    @app.post(
        "/v1/models/{model}/sample",
        tags=["rows"],
        summary="Rows now",
        responses=_ROWS,
        response_class=Response,
    )
    async def sample(model: Name, wanted: Sample, service: Counted, accept: Accept = None) -> Any:
        body, headers = await service.sample(model, wanted, accept)
        if isinstance(body, Streamed):
            return _Streaming(body)
        return Response(body, headers=headers)

    @app.post(
        "/v1/models/{model}/explain",
        tags=["rows"],
        summary="Which columns drive the model, or given rows",
        response_model=Explanation,
        responses={200: {"content": {_PICTURE: _BINARY}}, 406: _problem("No such format.")},
    )
    async def explain(model: Name, wanted: Explain, service: Counted, accept: Accept = None) -> Any:
        media_type = chosen(accept, ["application/json", _PICTURE])
        if media_type is None:
            offered = f"application/json or {_PICTURE}"
            raise ProblemError(406, "Not acceptable", f"Accept: expected {offered}")
        explanation = await service.explain(model, wanted.rows)
        if media_type == _PICTURE:
            return Response(await service.picture(explanation), media_type=_PICTURE)
        return explanation


def _add_batches(app: FastAPI) -> None:
    @app.post(
        "/v1/models/{model}/batches",
        tags=["batches"],
        summary="Rows later, as Parquet files",
        status_code=202,
        responses={409: _problem("The key or the output belongs to another batch.")},
    )
    async def start(
        model: Name,
        wanted: BatchWanted,
        service: Counted,
        idempotency_key: Annotated[
            str | None,
            Header(max_length=256, description="The same key means the same batch."),
        ] = None,
    ) -> Batch:
        return await service.start_batch(model, wanted, idempotency_key)

    @app.get("/v1/batches", tags=["batches"], summary="All batches, the newest first")
    async def batches(service: Counted) -> BatchList:
        return BatchList(batches=await service.on_batches(service.batches.list))

    @app.get("/v1/batches/{batch}", tags=["batches"], summary="How far a batch is")
    async def batch(batch: BatchId, service: Counted) -> Batch:
        return await service.on_batches(service.batches.show, batch)

    @app.delete("/v1/batches/{batch}", tags=["batches"], summary="Cancel a batch")
    async def cancel(batch: BatchId, service: Counted) -> Batch:
        return await service.on_batches(service.batches.cancel, batch)

    @app.get(
        "/v1/batches/{batch}/files/{name}",
        tags=["batches"],
        summary="A file of a batch",
        response_class=Response,
        responses={
            200: {"content": {"application/vnd.apache.parquet": _BINARY}},
            206: {"description": "The range asked for."},
            307: {"description": "Where the object store gives it, for an hour."},
            416: {"description": "There is no such range."},
        },
    )
    async def file(
        batch: BatchId, name: Annotated[str, Path(max_length=256)], service: Counted
    ) -> Response:
        uri = await service.on_batches(service.batches.file, batch, name)
        if is_local(uri):
            return FileResponse(uri, media_type="application/vnd.apache.parquet", filename=name)
        return RedirectResponse(await service.on_batches(signed_url, uri, _LINK_S), 307)


class _Streaming(Response):
    """Lets FastAPI send what streams itself."""

    def __init__(self, streamed: Streamed) -> None:
        super().__init__()
        self._streamed = streamed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Stream."""
        await self._streamed(scope, receive, send)


def _describe(app: FastAPI) -> None:
    """Say in the OpenAPI document that calls take a bearer key, if there are any."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        schema["components"].setdefault("securitySchemes", {})["key"] = {
            "type": "http",
            "scheme": "bearer",
        }
        schema["components"]["schemas"].setdefault("ProblemBody", ProblemBody.model_json_schema())
        schema["security"] = [{"key": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
