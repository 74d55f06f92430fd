"""The files of a bundle at its place: whole revisions, and a pointer to the one that counts.

    models/claims/bundle.json                      the pointer
    models/claims/3fa49c0d5b7e2a61/bundle.json …   a revision, called by its checksum

A revision is whole before one write of the pointer makes it count, so whoever reads finds a whole
bundle at any moment. It is a bundle by itself too: such a folder of files alone can be read, and
once was all that a bundle is.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gtcoder import __version__
from gtcoder.errors import BundleError, OutputError
from gtcoder.table.files import (
    LEFTOVER,
    Uri,
    absolute,
    exists,
    is_local,
    join,
    last_written,
    list_files,
    read_bytes,
    remove,
    write_bytes,
)

FORMAT_VERSION = 7
"""Of a revision's files."""
POINTER_VERSION = 3
"""Of a pointer, in one series of numbers with those of files."""
INDEX = "bundle.json"
FILES = (
    "schema.json",
    "rules.json",
    "codec.json",
    "config.json",
    "model.safetensors",
    "latent.safetensors",
    "explanation.json",
    "history.json",
)
KEPT = timedelta(days=1)
"""So long a revision stays after it was replaced; the last one before stays in any case."""
_FOLDER = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Counted:
    """A revision that counts or counted."""

    checksum: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A revision that was read and checked."""

    index: Mapping[str, Any]
    contents: Mapping[str, bytes]


def write(uri: Uri, contents: Mapping[str, bytes], info: Mapping[str, Any]) -> None:
    """Write a revision whole, then make it the one that counts.

    Raises:
        OSError: it cannot be written.
    """
    before = _history(uri)
    checksums = checksums_of(contents)
    checksum = of_all(checksums)
    index = {
        "format_version": FORMAT_VERSION,
        "library_version": __version__,
        "checksum": checksum,
        "files": checksums,
        "info": dict(info),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write_revision(uri, index, contents)
    _point(uri, checksum, before)


def read(uri: Uri, checksum: str | None = None) -> Stored:
    """The revision that counts, or the one of a checksum, every file of it checked.

    Raises:
        BundleError: there is none, it is of another format, or a file is missing or altered.
    """
    index, folder = read_index(uri), os.fspath(uri)
    wanted = checksum or index["checksum"]
    if index["format_version"] == POINTER_VERSION:
        folder = join(uri, _name(wanted))
        if checksum is None or exists(folder):
            index = read_index(folder)
    if index["checksum"] != wanted or index["format_version"] != FORMAT_VERSION:
        raise BundleError(
            f"{uri} holds another bundle than the one asked for (its checksum is "
            f"{index['checksum']}); ask again, or put the other bundle back"
        )
    contents = {name: _verified(folder, name, index["files"][name]) for name in FILES}
    return Stored(index, contents)


def point_back(uri: Uri, checksum: str | None = None) -> str:
    """Make a revision that counted earlier count again.

    Args:
        uri: the bundle's place.
        checksum: of the revision, or how it begins; the one before if not given.

    Returns:
        Its checksum.

    Raises:
        BundleError: there is none, or it is damaged.
        OSError: the pointer cannot be written.
    """
    index = read_index(uri)
    history = list(_counted(index)) if index["format_version"] == POINTER_VERSION else []
    earlier = [each.checksum for each in history[1:] if each.checksum.startswith(checksum or "")]
    if not earlier:
        there = ", ".join(each.checksum[:16] for each in history[1:]) or "none"
        raise BundleError(f"{uri} has no such earlier bundle to go back to; there are: {there}")
    read(uri, earlier[0])
    _point(uri, earlier[0], history)
    return earlier[0]


def check_target(uri: Uri, *, overwrite: bool) -> None:
    """See early that a bundle may be written there.

    Raises:
        OutputError: something is there and `overwrite` is not set, or what is there is no bundle.
    """
    try:
        there = exists(uri) and (not is_local(uri) or not _is_empty(Path(absolute(uri))))
        is_bundle = there and exists(join(uri, INDEX))
        if there and not is_bundle:
            there = not all(map(_is_ours, list_files(uri)))  # what broke off is nothing
    except OSError as error:
        raise OutputError(str(error)) from error
    if there and not is_bundle:
        raise OutputError(f"{uri} exists and is not a bundle; choose another place")
    if there and not overwrite:
        raise OutputError(f"{uri} exists; choose another place, or add `overwrite=True`")


def read_index(uri: Uri) -> dict[str, Any]:
    """The pointer, or what stands in its place where there is a revision alone.

    Both have the `checksum` of the revision that counts.

    Raises:
        BundleError: there is none, or it is damaged or of another format.
    """
    try:
        raw = read_bytes(join(uri, INDEX))
    except FileNotFoundError as error:
        if not exists(uri):
            raise BundleError(f"no bundle: {uri}: no such file, folder or bucket") from error
        raise BundleError(
            f"{uri} is not a bundle: it has no {INDEX}; name a folder that a training wrote"
        ) from error
    except OSError as error:
        raise BundleError(f"no bundle: {error}") from error
    try:
        index: dict[str, Any] = json.loads(raw)
        version = index["format_version"]  # before all else: other formats have other keys
        if version not in (FORMAT_VERSION, POINTER_VERSION):
            raise BundleError(_foreign(uri, version, index.get("library_version")))
        if version == POINTER_VERSION:
            list(_counted(index))
            return index
        files = index["files"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"{join(uri, INDEX)} is damaged or not of a bundle; copy the bundle again"
        ) from error
    if set(files) != set(FILES) or index.get("checksum") != of_all(files):
        raise BundleError(
            f"{join(uri, INDEX)} has been altered: its checksum does not match; copy the bundle "
            "again, or train it again"
        )
    return index


def written(uri: Uri) -> datetime:
    """When the revision that counts was written; an older one does not say, but its file does.

    Raises:
        BundleError: there is none, or it is damaged or of another format.
        OSError: the storage does not answer.
    """
    index, folder = read_index(uri), os.fspath(uri)
    if index["format_version"] == POINTER_VERSION:
        folder = join(uri, _name(index["checksum"]))
        index = read_index(folder)
    if "written" not in index:
        return last_written(join(folder, INDEX))
    return datetime.fromisoformat(index["written"])


def checksums_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of every file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def of_all(checksums: Mapping[str, str]) -> str:
    """The SHA-256 over those of all files."""
    lines = [f"{checksum} {name}\n" for name, checksum in sorted(checksums.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def to_json(value: Any) -> bytes:
    """A value as it is written."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_revision(uri: Uri, index: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
    folder = join(uri, _name(index["checksum"]))
    for name, content in contents.items():
        write_bytes(join(folder, name), content)
    write_bytes(join(folder, INDEX), to_json(index))


def _point(uri: Uri, checksum: str, history: list[Counted]) -> None:
    """One write that makes a revision count; then what nobody reads any more goes."""
    now = datetime.now(UTC)
    counted = history
    if not history or history[0].checksum != checksum:
        counted = [Counted(checksum, now), *(c for c in history if c.checksum != checksum)]
    kept = [
        each
        for number, each in enumerate(counted)
        if number < 2 or now - counted[number - 1].since < KEPT
    ]
    pointer = {
        "format_version": POINTER_VERSION,
        "library_version": __version__,
        **_plain(kept[0]),
        "before": [_plain(each) for each in kept[1:]],
    }
    write_bytes(join(uri, INDEX), to_json(pointer))
    with suppress(OSError, BundleError):  # the bundle stands; what is left goes the next time
        for name in _unread(uri, flat=bool(history) and now - history[0].since > KEPT):
            remove(join(uri, name))


def _unread(uri: Uri, *, flat: bool) -> list[str]:
    """What no pointer names and nobody has written to for long: files and folders of the place."""
    names: dict[str, list[str]] = {}
    for name in filter(_is_ours, list_files(uri)):
        names.setdefault(name.partition("/")[0], []).append(name)
    kept = {INDEX, *(_name(each.checksum) for each in _counted(read_index(uri)))}
    kept |= set() if flat else set(FILES)  # files alone: not while they may still be read
    now = datetime.now(UTC)
    return [
        first
        for first, below in names.items()
        if first not in kept and all(now - last_written(join(uri, name)) > KEPT for name in below)
    ]


def _history(uri: Uri) -> list[Counted]:
    """The revisions that counted, the newest first.

    Files alone become a revision before they are replaced.

    Raises:
        OSError: the storage does not answer.
    """
    try:
        index = read_index(uri)
        if index["format_version"] == POINTER_VERSION:
            return list(_counted(index))
        stored = read(uri)
    except BundleError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            raise cause from error  # to know of none is not to have none
        return []  # what is damaged is not gone back to
    _write_revision(uri, stored.index, stored.contents)
    return [Counted(stored.index["checksum"], datetime.now(UTC))]


def _counted(pointer: Mapping[str, Any]) -> Iterator[Counted]:
    for each in (pointer, *pointer["before"]):
        yield Counted(str(each["checksum"]), datetime.fromisoformat(each["since"]))


def _plain(counted: Counted) -> dict[str, str]:
    return {"checksum": counted.checksum, "since": counted.since.isoformat()}


def _name(checksum: str) -> str:
    """What a revision's folder is called."""
    return checksum[:16]


def _is_ours(name: str) -> bool:
    """Whether a file's name within a place is one that is written there."""
    folder, _, file = name.rpartition("/")
    known = file in (INDEX, *FILES) or (file.startswith(".") and file.endswith(LEFTOVER))
    return known and (not folder or bool(_FOLDER.fullmatch(folder)))


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _foreign(uri: Uri, version: Any, library: Any) -> str:
    """What to say of a bundle of another format: a newer one wants a newer gtcoder."""
    by = f", written by gtcoder {library}," if library else ""
    newer = isinstance(version, int) and version > max(FORMAT_VERSION, POINTER_VERSION)
    cure = "install that gtcoder or a later one" if newer else "train it again"
    return (
        f"{uri} has bundle format {version!r}{by} and gtcoder {__version__} reads "
        f"{FORMAT_VERSION} and {POINTER_VERSION} only; {cure}"
    )


def _verified(folder: str, name: str, checksum: str) -> bytes:
    try:
        content = read_bytes(join(folder, name))
    except OSError as error:
        raise BundleError(f"the bundle is incomplete: {error}; copy it again") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise BundleError(
            f"{join(folder, name)} has been altered or damaged: its checksum is not the one in "
            f"{INDEX}; copy the bundle again, or train it again"
        )
    return content
