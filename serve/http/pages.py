"""The page at / and the list of calls at /docs: files from memory, under policies that are strict.

Nothing is loaded from elsewhere. Addresses are relative, so that a proxy may put the service below
a path.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import FastAPI, Request, Response

from serve.http.problems import ProblemError

BELOW = "/page/"
"""Where the files lie; they need no key."""
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")


def _policy(**sources: str) -> str:
    """A Content-Security-Policy: of what is not named there is nothing."""
    closed = {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    named = {name.replace("_", "-"): said for name, said in sources.items()}
    return "; ".join(f"{name} {said}".strip() for name, said in (closed | named).items())


def _headers(policy: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


_OWN = {"script_src": "'self'", "connect_src": "'self'"}
_TEXT_ONLY = {"require_trusted_types_for": "'script'", "trusted_types": "'none'"}
"""Browsers then refuse to make markup of texts."""
_PAGE = _headers(_policy(**_OWN, **_TEXT_ONLY, style_src="'self'", img_src="'self' blob: data:"))
_DOCS = _headers(_policy(**_OWN, style_src="'self' 'unsafe-inline'", img_src="'self' data:"))
REPORT = {
    **_headers(_policy(style_src="'unsafe-inline'", img_src="data:", sandbox="")),
    "Cache-Control": "no-store",
}
"""Headers of a report: it has styles of its own, may run nothing, and nobody keeps a copy."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file, as it is sent."""

    content: bytes
    media_type: str
    tag: str


def add_pages(app: FastAPI) -> None:
    """Add the routes; they are no calls, so /docs does not list them."""

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _sent(request, "index.html", _PAGE)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        if not all(name in _files() for name in _SWAGGER):
            detail = (
                'the list of calls needs more on the service\'s side: pip install "gtcoder[serve]"'
            )
            raise ProblemError(404, "No list of calls", detail)
        return _sent(request, "docs.html", _DOCS)

    @app.get(BELOW + "{name}", include_in_schema=False)
    async def page_file(name: str, request: Request) -> Response:
        return _sent(request, name, _PAGE)


def _sent(request: Request, name: str, headers: Mapping[str, str]) -> Response:
    """A file, or that the client's copy of it is still good."""
    file = _files().get(name)
    if file is None:
        raise ProblemError(404, "Unknown file", f"the page has no file {name!r}")
    said = {**headers, "ETag": file.tag}
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=said)
    return Response(file.content, headers=said, media_type=file.media_type)


@cache
def _files() -> Mapping[str, _File]:
    """The files by name: the page's own, and Swagger UI's, which a package of its own brings."""
    found = {each.name: each for each in (files("serve") / "page").iterdir()}
    try:
        static = files("fastapi_offline") / "static"
        found |= {name: static / name for name in _SWAGGER}
    except ModuleNotFoundError:  # then all but /docs is there
        pass
    return {name: _file(each) for name, each in found.items() if _media_type(name)}


def _file(each: Traversable) -> _File:
    content = each.read_bytes()
    return _File(content, _media_type(each.name), f'"{hashlib.sha256(content).hexdigest()[:16]}"')


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(name[name.rfind(".") :], "")
