"""Files and folders by local path or URI, read and written whole.

A file that is seen is complete: locally it is written beside its place, flushed and moved; on an
object store it is one upload that appears when it ends. What goes wrong is an `OSError` whose
message is one line that names the file and says what to do.
"""

import errno
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
    """A URL by which anyone can read a file on an object store for some time."""
    filesystem, path = resolve(uri)
    with explained(uri):
        return str(filesystem.sign(path, expiration=expires_s))


def write_bytes(uri: Uri, content: bytes) -> None:
    """Write a file that is whole once it is seen, replacing one that is there."""
    with open_write(uri) as file:
        file.write(content)


@contextmanager
def open_write(uri: Uri) -> Iterator[BinaryIO]:
    """A new file that takes its place, whole, when the block ends; after an error there is none."""
    filesystem, path = resolve(uri)
    if isinstance(filesystem, LocalFileSystem):
        with _moved_into_place(Path(path), uri) as file:
            yield file
        return
    buffer = io.BytesIO()
    yield buffer
    with explained(uri):
        filesystem.pipe_file(path, buffer.getvalue())


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
