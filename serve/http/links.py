"""Links that open one path for a while without a key: for what a browser opens or saves by itself.

A link is signed with the key of who asked for it: it says whose it is, and ends when the key does.
"""

import re
import time
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from serve.http.keys import Keys
from serve.settings import MODEL_NAME

LINK_S = 3600
"""So long a link is good."""
LINKED = rf"/v1/(models/{MODEL_NAME}/report|batches/[0-9a-f]{{24}}/files/[A-Za-z0-9._-]{{1,256}})"
"""What a link may open."""


def link(keys: Keys, authorization: str | None, path: str) -> tuple[str, int]:
    """A link to a path, and until when it is good, in seconds since 1970."""
    until = int(time.time()) + LINK_S
    return f"{path}?until={until}&signature={keys.sign(authorization, _said(path, until))}", until


def owner(keys: Keys, scope: Scope) -> str | None:
    """Whose request it is, by the key it shows or by the link it follows, if anyone's."""
    known = keys.owner(Headers(scope=scope).get("authorization"))
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if known is not None or scope["method"] not in ("GET", "HEAD"):
        return known
    if not re.fullmatch(LINKED, path):
        return None
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    until, signature = query.get("until", [""])[-1], query.get("signature", [""])[-1]
    if not re.fullmatch(r"[0-9]{1,12}", until) or int(until) < time.time():
        return None
    return keys.signer(_said(path, int(until)), signature)


def _said(path: str, until: int) -> str:
    return f"{until} {path}"
