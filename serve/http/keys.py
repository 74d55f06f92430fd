"""Bearer keys: from a file with one a line, or GTCODER_API_KEYS with commas between them.

Each has an owner, whose batches it sees: the name before it, if there is one, or itself.
"""

import hashlib
import hmac
import logging
import os
import re
import threading
import time

from gtcoder.errors import ConfigError
from gtcoder.table.files import read_bytes

VARIABLE = "GTCODER_API_KEYS"
EVERYONE = "everyone"
"""The owner of what is asked of a service without keys."""
_SHORTEST = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Keys:
    """The keys that open the service; none opens it to all."""

    def __init__(self, path: str | None) -> None:
        """Read them.

        Raises:
            ConfigError: see `read_keys`.
        """
        self._path = path
        self._owners = _by_digest(read_keys(path))

    def __bool__(self) -> bool:
        return bool(self._owners)

    def owner(self, authorization: str | None) -> str | None:
        """Whose key an Authorization header holds, if any's; takes as long whatever it holds."""
        if not self._owners:
            return EVERYONE
        scheme, _, _ = (authorization or "").partition(" ")
        said = _digest(_key(authorization))
        found = [who for digest, who in self._owners if hmac.compare_digest(said, digest)]
        return found[0] if found and scheme.lower() == "bearer" else None

    @staticmethod
    def sign(authorization: str | None, text: str) -> str:
        """A text's signature by the key that an Authorization header holds."""
        return _signature(_digest(_key(authorization)), text)

    def signer(self, text: str, signature: str) -> str | None:
        """Whose key has signed a text, if any's."""
        said = signature.encode()
        found = [
            who
            for digest, who in self._owners
            if hmac.compare_digest(said, _signature(digest, text).encode())
        ]
        return found[0] if found else None

    def watch(self, every_s: float) -> None:
        """From now on read the file again every so often: keys come and go without a restart."""
        if self._path:
            threading.Thread(target=self._watch, args=(every_s,), daemon=True).start()

    def _watch(self, every_s: float) -> None:
        said = ""
        while True:
            time.sleep(max(every_s, 0.1))
            try:
                self._owners, said = _by_digest(read_keys(self._path)), ""
            except ConfigError as error:
                if str(error) != said:
                    said = str(error)
                    logging.getLogger("ray.serve").error(f"the keys stay as they were: {said}")


def read_keys(path: str | None) -> dict[str, str]:
    """The keys in a file, or else in the environment, and the owner of each.

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
    lines = [line.strip() for line in lines]
    named = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
    where = path or VARIABLE
    if path and not named:
        raise ConfigError(f"{path} holds no key: expected one a line")
    if any(len(key) < _SHORTEST or not key.isascii() for _, _, key in named):
        raise ConfigError(
            f"{where}: expected keys of at least {_SHORTEST} ASCII characters; make one with "
            "`openssl rand -hex 32`"
        )
    if any(name and not _NAME.fullmatch(name.strip()) for name, _, _ in named):
        raise ConfigError(
            f"{where}: expected KEY or NAME KEY, with a name of letters, digits, dots, dashes and "
            "underscores"
        )
    return {key: name.strip() or _digest(key).hex()[:16] for name, _, key in named}


def _by_digest(keys: dict[str, str]) -> list[tuple[bytes, str]]:
    return [(_digest(key), owner) for key, owner in keys.items()]


def _key(authorization: str | None) -> str:
    return (authorization or "").partition(" ")[2].strip()


def _signature(digest: bytes, text: str) -> str:
    return hmac.new(digest, text.encode(), hashlib.sha256).hexdigest()


def _digest(key: str) -> bytes:
    """Of one length, so that comparing tells nothing of a key's."""
    return hashlib.sha256(key.encode()).digest()
