"""Where a training keeps its state until the bundle is written: `NAME.run` beside it or elsewhere.

It holds encoded rows, so it is removed when the bundle stands. What was asked for is written first:
a run is only resumed by the command that began it.
"""

import json
from collections.abc import Mapping
from typing import Any

from gtcoder import __version__
from gtcoder.errors import OutputError
from gtcoder.table.files import absolute, join, names, read_bytes, remove, write_bytes
from gtcoder.training.checkpoint import FORMAT_VERSION, check_format
from ray_jobs.owner import is_owners
from ray_jobs.sources.encoding import CODEC, SCHEMA

_REQUEST = "run.json"
CONFIG = "config.json"
READ = "read.json"
"""How many rows the first pass found, and which files it left out."""
START = "start"
"""The bundle that a training goes on from: it may be gone, or another, when the run is resumed."""


def run_folder(out: str, storage: str | None) -> str:
    """The folder of the training that writes a bundle to `out`."""
    parent, _, name = absolute(out).rstrip("/").rpartition("/")
    return join(absolute(storage) if storage else parent, f"{name}.run")


def prepare(folder: str, request: Mapping[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Make way for a run, or see that one can be gone on with; whether there is one.

    Raises:
        OutputError: a run stands there that is not to be resumed, or was begun otherwise, or
            something else stands there.
    """
    try:
        earlier = load_json(folder, _REQUEST)
        if earlier is not None and resume:
            check_format(earlier.get("format_version"), earlier.get("library_version"))
            _same(folder, earlier, request)
            return True
        if earlier is not None and not overwrite:
            raise OutputError(
                f"{folder} holds a training that did not end; add --resume to go on with it, or "
                "--overwrite to begin anew"
            )
        if earlier is None and _things(folder) - {SCHEMA, CODEC, READ, START}:
            raise OutputError(f"{folder} exists and is not a training; choose another --storage")
        clear(folder)
    except OSError as error:
        raise error if isinstance(error, OutputError) else OutputError(str(error)) from error
    return False


def begin(folder: str, request: Mapping[str, Any]) -> None:
    """Mark a run as one that can be resumed, now that its codec is there."""
    told = {"format_version": FORMAT_VERSION, "library_version": __version__}
    save_json(folder, _REQUEST, {**told, **request})


def is_begun(folder: str) -> bool:
    """Whether there is a run that can be resumed."""
    return load_json(folder, _REQUEST) is not None


def clear(folder: str) -> None:
    """Remove a run, whoever owns its folder; what it would be resumed by goes first."""
    remove(join(folder, _REQUEST))
    for name in _things(folder):
        remove(join(folder, name))


def save_json(folder: str, name: str, value: Any) -> None:
    """Keep something in a run's folder."""
    write_bytes(join(folder, name), json.dumps(value).encode())


def load_json(folder: str, name: str) -> Any:
    """What was kept; nothing if it was not."""
    try:
        return json.loads(read_bytes(join(folder, name)))
    except FileNotFoundError:
        return None


def _things(folder: str) -> set[str]:
    """What is in a folder, but for its owner's file."""
    return {name for name in names(folder) if not is_owners(name)}


def _same(folder: str, earlier: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    for key, value in json.loads(json.dumps(request)).items():
        if earlier.get(key) != value:
            was = "" if key == "table_fingerprint" else f" (it was {earlier.get(key)!r})"
            raise OutputError(
                f"--resume: the training in {folder} was begun with another {_WORDS.get(key, key)}"
                f"{was}; give the same, or --overwrite to begin anew"
            )


_WORDS = {
    "table_fingerprint": "content of the table",
    "validation_fraction": "share held out",
    "from": "bundle to go on --from",
}
