"""Bearer keys: from a file with one a line, or GTCODER_API_KEYS with commas between them."""

import hashlib
import hmac
import os
from collections.abc import Sequence

from gtcoder.errors import ConfigError
from gtcoder.table.files import read_bytes

VARIABLE = "GTCODER_API_KEYS"
_SHORTEST = 16


class Keys:
    """The keys that open the service; none opens it to all."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, authorization: str | None) -> bool:
        """Whether an Authorization header holds one of them; takes as long whatever it holds."""
        if not self._digests:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        said = _digest(key.strip())
        found = [hmac.compare_digest(said, digest) for digest in self._digests]
        return any(found) and scheme.lower() == "bearer"


def read_keys(path: str | None) -> list[str]:
    """The keys in a file, or else in the environment.

    Raises:
        ConfigError: the file cannot be read or holds none, or a key is too short to be safe.
    """
    if path:
        try:
            lines = read_bytes(path).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--api-key-file: {error}") from error
    else:
        lines = os.environ.get(VARIABLE, "").split(",")
    keys = [line.strip() for line in lines]
    keys = [key for key in keys if key and not key.startswith("#")]
    where = path or VARIABLE
    if path and not keys:
        raise ConfigError(f"{path} holds no key: expected one a line")
    if any(len(key) < _SHORTEST or not key.isascii() for key in keys):
        raise ConfigError(
            f"{where}: expected keys of at least {_SHORTEST} ASCII characters; make one with "
            "`openssl rand -hex 32`"
        )
    return keys


def _digest(key: str) -> bytes:
    """Of one length, so that comparing tells nothing of a key's."""
    return hashlib.sha256(key.encode()).digest()
