"""Files and folders by local path or URI, read and written whole.

A file that is seen is complete: locally it is written beside its place, flushed and moved; on an
object store it is one upload that appears when it ends. What goes wrong is an `OSError` whose
message is one line that names the file and says what to do.
"""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

import fsspec
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.implementations.local import LocalFileSystem

from gtcoder.errors import StorageError

LEFTOVER = ".tmp"
"""Ending of a file or folder that was being written; such a name also starts with a dot."""

_S3_CONFIG = {
    # Some servers answer a range with the checksum of the whole object.
    "response_checksum_validation": "when_required",
    # s3fs tries five times itself, each of them so often.
    "retries": {"mode": "standard", "max_attempts": 2},
    "connect_timeout": 10,
    "read_timeout": 30,
    # Links signed the older way are refused by all regions but the oldest, and by other stores.
    "signature_version": "s3v4",
}

_PART_BYTES = 16 << 20
"""An object is sent in parts of this size; a store takes 10,000 of them."""
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
"""What a store calls a condition that no longer holds."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Uri: TypeAlias = str | os.PathLike[str]


def resolve(uri: Uri) -> tuple[Any, str]:
    """The file system and the path in it of a local path, `file://` or `s3://` URI.

    The s3fs file system takes the usual AWS variables and AWS_ENDPOINT_URL. Listings are not
    cached, since other processes write to the same folders.

    Raises:
        OSError: nothing is known about that kind of storage.
    """
    text = os.fspath(uri)
    options = {"config_kwargs": _S3_CONFIG} if text.startswith(("s3://", "s3a://")) else {}
    try:
        filesystem, path = fsspec.core.url_to_fs(text, use_listings_cache=False, **options)
    except (ValueError, ImportError) as error:
        raise OSError(
            f"{uri}: no such kind of storage; use a local path, file:// or s3:// ({_line(error)})"
        ) from error
    return filesystem, str(path)


def absolute(uri: Uri) -> str:
    """The URI as any other process can use it, whatever its working directory."""
    filesystem, path = resolve(uri)
    if isinstance(filesystem, LocalFileSystem):
        return path
    return str(filesystem.unstrip_protocol(path))


def join(folder: Uri, name: str) -> str:
    """The URI of something in a folder."""
    return f"{os.fspath(folder).rstrip('/')}/{name}"


def is_local(uri: Uri) -> bool:
    """Whether it is on this machine's own file system."""
    return isinstance(resolve(uri)[0], LocalFileSystem)


def exists(uri: Uri) -> bool:
    """Whether there is a file or folder; on an object store, anything below the path."""
    filesystem, path = resolve(uri)
    with explained(uri):
        return bool(filesystem.exists(path))


def list_files(folder: Uri) -> dict[str, int]:
    """Name, relative to the folder, and size in bytes of every file below it; sorted.

    A folder that does not exist has none.
    """
    filesystem, path = resolve(folder)
    with explained(folder):
        try:
            found = filesystem.find(path, detail=True)
        except FileNotFoundError:
            return {}
    root = path.rstrip("/") + "/"
    return {name.removeprefix(root): int(info["size"]) for name, info in sorted(found.items())}


def last_written(uri: Uri) -> datetime:
    """When a file was last written, by its storage's clock."""
    filesystem, path = resolve(uri)
    with explained(uri):
        return cast(datetime, filesystem.modified(path))


def names(folder: Uri) -> set[str]:
    """The names of the files and folders directly in a folder; one that does not exist has none."""
    filesystem, path = resolve(folder)
    with explained(folder):
        try:
            found = filesystem.ls(path, detail=False)
        except FileNotFoundError:
            return set()
    return {str(each).rstrip("/").rpartition("/")[2] for each in found}


def read_bytes(uri: Uri) -> bytes:
    """A file's whole content."""
    filesystem, path = resolve(uri)
    with explained(uri):
        return cast(bytes, filesystem.cat_file(path))


@contextmanager
def open_read(uri: Uri) -> Iterator[BinaryIO]:
    """A file open for reading and seeking; Arrow reads a local one without Python."""
    filesystem, path = resolve(uri)
    with explained(uri):
        if isinstance(filesystem, LocalFileSystem):
            opened = pa.OSFile(path)
        else:
            opened = filesystem.open(path, "rb")
    with opened as file:
        yield file


def signed_url(uri: Uri, expires_s: int) -> str:
    """A URL by which anyone can read a file on an object store for some time.

    It ends earlier where the credentials that sign it do: a role's last an hour or a few.
    """
    filesystem, path = resolve(uri)
    with explained(uri):
        return str(filesystem.sign(path, expiration=expires_s))


def write_bytes(uri: Uri, content: bytes) -> None:
    """Write a file that is whole once it is seen, replacing one that is there."""
    with open_write(uri) as file:
        file.write(content)


@contextmanager
def open_write(uri: Uri) -> Iterator[BinaryIO]:
    """A new file that takes its place, whole, when the block ends; after an error there is none.

    To an object store it is sent while it is written, so no more than a part is in memory.
    """
    filesystem, path = resolve(uri)
    if isinstance(filesystem, LocalFileSystem):
        with _moved_into_place(Path(path), uri) as file:
            yield file
        return
    with explained(uri):
        file = filesystem.open(path, "wb", block_size=_PART_BYTES)
        try:
            yield file
        except BaseException:
            with suppress(OSError):  # the store may be what is wrong
                file.discard()
            file.closed = True  # else it would be sent all the same
            raise
        file.close()


def swap(uri: Uri, old: bytes | None, new: bytes | None, *, folder: bool = False) -> bool:
    """Replace a small file if it holds what is expected; whether it did.

    None stands for no file; with `folder` a local folder that has nothing else goes with it. Of
    all who try at once one succeeds. Where an object store knows no conditions, those who try
    within the same moment may all succeed, and the last one's stays.
    """
    filesystem, path = resolve(uri)
    if isinstance(filesystem, LocalFileSystem):
        return _swapped_locally(Path(path), old, new, folder)
    with explained(uri):
        return _swapped(filesystem, path, old, new)


def remove(uri: Uri) -> None:
    """Remove a file, or a folder with all in it; nothing happens where there is none."""
    filesystem, path = resolve(uri)
    with explained(uri):
        if isinstance(filesystem, LocalFileSystem):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                Path(path).unlink(missing_ok=True)
            return
        files = filesystem.find(path)
        if files:
            filesystem.rm(files)


def remove_leftovers(folder: Uri, begins: tuple[str, ...] = (".",)) -> None:
    """Remove what a killed process left half-written directly in a folder, of names so begun."""
    for name in list_files(folder):
        first = name.split("/")[0]
        if first.startswith(begins) and first.endswith(LEFTOVER):
            remove(join(folder, first))


def beside(path: Path) -> Path:
    """A new name in the same folder that no listing takes for a finished file."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{LEFTOVER}")


def sync_folder(path: Path) -> None:
    """Flush a local folder's own entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(uri: Uri) -> Iterator[None]:
    """Turn what a file system raises into one line that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        what = "no such bucket" if "specified bucket" in str(error) else "no such file or folder"
        raise FileNotFoundError(f"{uri}: {what}") from error
    except PermissionError as error:
        raise PermissionError(
            f"{uri}: access denied; check the permissions or credentials ({_line(error)})"
        ) from error
    except FileExistsError as error:
        raise FileExistsError(f"{uri}: a file is in the way of a folder") from error
    except (BotoCoreError, ClientError) as error:
        raise StorageError(
            f"{uri}: the object store did not answer as expected; check AWS_ENDPOINT_URL and "
            f"the credentials ({_line(error)})"
        ) from error
    except OSError as error:
        raise type(error)(f"{uri}: {error.strerror or _line(error)}") from error


def _swapped_locally(path: Path, old: bytes | None, new: bytes | None, folder: bool) -> bool:
    with _locked(path.parent):
        if (path.read_bytes() if path.exists() else None) != old:
            return False
        if new is not None:
            write_bytes(path, new)
            return True
        path.unlink(missing_ok=True)
        if folder:
            with suppress(OSError):  # others have files in it
                path.parent.rmdir()
        return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a local folder, which is made if need be, against all who ask for it in this way."""
    while True:
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # a network's file system may have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
                yield
                return
        finally:
            os.close(handle)


def _swapped(store: Any, path: str, old: bytes | None, new: bytes | None) -> bool:
    try:
        condition = {"IfMatch": store.info(path)["ETag"]}
        found = store.cat_file(path)
    except FileNotFoundError:
        condition, found = {"IfNoneMatch": "*"}, None
    if found != old:
        return False
    try:
        if new is not None:
            store.pipe_file(path, new, **condition)
        elif old is not None:
            store.rm_file(path)
    except OSError as error:
        said = getattr(error.__cause__, "response", {})
        if said.get("Error", {}).get("Code") in _CHANGED:
            return False
        raise
    return True


@contextmanager
def _moved_into_place(path: Path, uri: Uri) -> Iterator[BinaryIO]:
    draft = beside(path)
    with explained(uri):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = draft.open("xb")
    try:
        with _full_disk_named(uri), file:  # closing writes too
            yield file
            with explained(uri):
                file.flush()
                os.fsync(file.fileno())
        with explained(uri):
            draft.replace(path)
            sync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def _full_disk_named(uri: Uri) -> Iterator[None]:
    """Say which file there was no room for: the system does not when it refuses a write."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            raise OSError(f"{uri}: {error.strerror}; make room and run it again") from error
        raise


def _line(error: BaseException) -> str:
    """The first line of what an error says."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
