"""The HTTP interface: routes, and what /docs says of them. All work is `Service`'s."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from ray import serve
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse

from gtcoder import __version__
from gtcoder.table.files import is_local, signed_url
from serve.batches.record import CURSOR
from serve.formats import ARROW, CSV, PARQUET, WRITERS, chosen
from serve.http import links
from serve.http.bodies import Streamed
from serve.http.cors import NamedOrigins
from serve.http.counted import CountedAnswers
from serve.http.door import OWNER, Door
from serve.http.links import LINK_S
from serve.http.openapi import Responses, describe, problems
from serve.http.pages import REPORT, add_pages
from serve.http.problems import ProblemError, handle_problems
from serve.http.routes import HeadToo
from serve.http.schemas import (
    Batch,
    BatchList,
    BatchWanted,
    Complete,
    Completed,
    Explain,
    Explanation,
    Health,
    Link,
    LinkWanted,
    ModelInfo,
    ModelList,
    Sample,
    Score,
    Scores,
)
from serve.service import Service
from serve.settings import MODEL_NAME

_PICTURE = "image/png"


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_RECORDS = {"schema": {"type": "array", "items": {"type": "object"}}}
_ROWS: Responses = {
    200: {
        "description": "The rows, in the format that Accept names.",
        "content": {
            media: _RECORDS if media == "application/json" else _BINARY for media in WRITERS
        },
    },
}
_PARQUET: Responses = {
    200: {"content": {PARQUET: _BINARY}},
    206: {"description": "The range asked for."},
    307: {
        "description": "Where the object store gives it, for an hour, or until the credentials of "
        "the service end: ask here again for a new link."
    },
}


def _here() -> Service:
    replica: Any = serve.get_replica_context().servable_object
    service: Service = replica.service
    return service


async def _service(request: Request) -> Service:  # not async, it would run in a thread
    service: Service = request.app.state.service()
    return service


async def _owner(request: Request) -> str:
    owner: str = getattr(request.state, OWNER)
    return owner


Serving = Annotated[Service, Depends(_service)]
Owner = Annotated[str, Depends(_owner)]
Name = Annotated[str, Path(pattern=f"^{MODEL_NAME}$", description="The model's name.")]
BatchId = Annotated[str, Path(description="The batch's id.", max_length=64)]
Accept = Annotated[str | None, Header(include_in_schema=False)]
Said = Annotated[str | None, Header(alias="Authorization", include_in_schema=False)]


def make_app(service: Callable[[], Service] = _here) -> FastAPI:
    """The app; it finds its service when a request comes."""
    app = FastAPI(
        title="GTCoder",
        version=__version__,
        description="Synthetic rows, explanations and bulk batches from trained bundles.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.router.route_class = HeadToo
    handle_problems(app)
    app.add_middleware(
        Door,
        limits=lambda: service().settings.limits,
        owner=lambda scope: links.owner(service().keys, scope),
        place=lambda path: service().place(path),
    )
    app.add_middleware(CountedAnswers, routes=app.routes, saw=lambda *seen: service().saw(*seen))
    app.add_middleware(
        GZipMiddleware, compresslevel=3, exclude_content_types=(ARROW, PARQUET, _PICTURE)
    )
    app.add_middleware(NamedOrigins, origins=lambda: service().settings.cors_origins)
    add_pages(app)
    _add_models(app)
    _add_batches(app)
    _add_links(app)
    describe(app)
    return app


def _add_models(app: FastAPI) -> None:
    @app.get(
        "/healthz",
        tags=["models"],
        summary="Whether the service is alive",
        openapi_extra={"security": []},
    )
    async def healthz(service: Serving) -> Health:
        return Health(models=len(service.registry.models))

    @app.get("/v1/models", tags=["models"], summary="The models", responses=problems())
    async def models(service: Serving) -> ModelList:
        return service.models()

    @app.get(
        "/v1/models/{model}",
        tags=["models"],
        summary="A model and its columns",
        responses=problems(404, 422),
    )
    async def model(model: Name, service: Serving) -> ModelInfo:
        return await service.describe(model)

    @app.get(
        "/v1/models/{model}/report",
        tags=["models"],
        summary="How good its rows are: a page that `gtcoder evaluate` wrote",
        response_class=HTMLResponse,
        responses=problems(404, 422),
    )
    async def report(model: Name, service: Serving) -> HTMLResponse:
        return HTMLResponse(await service.report(model), headers=REPORT)

    @app.post(
        "/v1/models/{model}/sample",
        tags=["rows"],
        summary="Rows now",
        responses=_ROWS | problems(404, 406, body=True),
        response_class=Response,
    )
    async def sample(model: Name, wanted: Sample, service: Serving, accept: Accept = None) -> Any:
        body, headers = await service.sample(model, wanted, accept)
        if isinstance(body, Streamed):
            return _Streaming(body)
        return Response(body, headers=headers)

    @app.post(
        "/v1/models/{model}/explain",
        tags=["rows"],
        summary="Which columns drive the model, or given rows",
        response_model=Explanation,
        responses={200: {"content": {_PICTURE: _BINARY}}, **problems(404, 406, body=True)},
    )
    async def explain(model: Name, wanted: Explain, service: Serving, accept: Accept = None) -> Any:
        media_type = chosen(accept, ["application/json", _PICTURE])
        if media_type is None:
            offered = f"application/json or {_PICTURE}"
            raise ProblemError(406, "Not acceptable", f"Accept: expected {offered}")
        explanation = await service.explain(model, wanted.rows)
        if media_type == _PICTURE:
            return Response(await service.picture(explanation), media_type=_PICTURE)
        return explanation

    @app.post(
        "/v1/models/{model}/complete",
        tags=["rows"],
        summary="Given rows, with what is missing of them drawn",
        response_model=Completed,
        responses={
            200: {"content": {ARROW: _BINARY, CSV: _BINARY}},
            **problems(404, 406, body=True),
        },
    )
    async def complete(
        model: Name, wanted: Complete, service: Serving, accept: Accept = None
    ) -> Any:
        return _Streaming(await service.complete(model, wanted, accept))

    @app.post(
        "/v1/models/{model}/score",
        tags=["rows"],
        summary="How likely given rows are, and which columns surprise",
        response_model=Scores,
        responses=problems(404, body=True),
    )
    async def score(model: Name, wanted: Score, service: Serving) -> Any:
        return _Streaming(await service.score(model, wanted))


def _add_batches(app: FastAPI) -> None:
    @app.post(
        "/v1/models/{model}/batches",
        tags=["batches"],
        summary="Rows later, as Parquet files",
        status_code=202,
        responses=problems(404, 409, body=True),
    )
    async def start(
        model: Name,
        wanted: BatchWanted,
        service: Serving,
        owner: Owner,
        idempotency_key: Annotated[
            str | None,
            Header(max_length=256, description="The same key means the same batch."),
        ] = None,
    ) -> Batch:
        return await service.start_batch(model, wanted, owner=owner, key=idempotency_key)

    @app.get(
        "/v1/batches",
        tags=["batches"],
        summary="Your batches, the newest first, in pages",
        responses=problems(404, 422),
    )
    async def batches(
        service: Serving,
        owner: Owner,
        limit: Annotated[int, Query(ge=1, le=100, description="So many at most.")] = 20,
        after: Annotated[
            str | None, Query(pattern=f"^{CURSOR}$", description="`next` of the page before.")
        ] = None,
    ) -> BatchList:
        return await service.on_batches(service.batches.list, owner, limit, after)

    one = problems(404, 422)

    @app.get("/v1/batches/{batch}", tags=["batches"], summary="How far a batch is", responses=one)
    async def batch(batch: BatchId, service: Serving, owner: Owner) -> Batch:
        return await service.on_batches(service.batches.show, owner, batch)

    @app.delete("/v1/batches/{batch}", tags=["batches"], summary="Cancel a batch", responses=one)
    async def cancel(batch: BatchId, service: Serving, owner: Owner) -> Batch:
        return await service.on_batches(service.batches.cancel, owner, batch)

    @app.get(
        "/v1/batches/{batch}/files/{name}",
        tags=["batches"],
        summary="A file of a batch",
        response_class=Response,
        responses=_PARQUET | problems(404, 416, 422),
    )
    async def file(
        batch: BatchId,
        name: Annotated[str, Path(max_length=256)],
        service: Serving,
        owner: Owner,
    ) -> Response:
        uri = await service.on_batches(service.batches.file, owner, batch, name)
        if is_local(uri):
            return FileResponse(uri, media_type=PARQUET, filename=name)
        return RedirectResponse(await service.on_batches(signed_url, uri, LINK_S), 307)


def _add_links(app: FastAPI) -> None:
    @app.post(
        "/v1/links",
        tags=["links"],
        summary="A link to a report or a file, good for an hour without a key",
        responses=problems(body=True),
    )
    async def link(wanted: LinkWanted, service: Serving, authorization: Said = None) -> Link:
        url, until = links.link(service.keys, authorization, wanted.path)
        return Link(url=url, until=datetime.fromtimestamp(until, UTC).isoformat())


class _Streaming(Response):
    """Lets FastAPI send what streams itself."""

    def __init__(self, streamed: Streamed) -> None:
        super().__init__()
        self._streamed = streamed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Stream."""
        await self._streamed(scope, receive, send)
