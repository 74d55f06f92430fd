"""A folder of files that follow from one request, which an index in the folder tells.

While files are missing the index is `_request.json`, and `_manifest.json` once all are there. What
is in a folder of another request, or of no request at all, is not touched unasked.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.errors import OutputError
from gtcoder.table.files import (
    join,
    list_files,
    open_read,
    read_bytes,
    remove,
    remove_leftovers,
    write_bytes,
)
from ray_jobs.owner import is_owners

MANIFEST = "_manifest.json"
REQUEST = "_request.json"
_DRAFTS = (".part-", f".{REQUEST}", f".{MANIFEST}")
_KEY = b"gtcoder"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A folder, and all that decides the files in it; who writes to it owns it (see `owned`)."""

    uri: str
    identity: Mapping[str, Any]
    """What decides the files, as an index says it."""
    names: Sequence[str]
    """Of all files, in their order."""
    command: str
    """What writes them, as in `gtcoder generate`."""
    is_part: Callable[[str], bool]
    """Whether a file is called as such files are, those of other requests among them."""
    optional: frozenset[str] = frozenset()
    """What an identity need not have."""

    def claim(self, look: Callable[[str], T | None], *, overwrite: bool) -> dict[str, T]:
        """Make the folder this request's own; what is known of the files that are there and whole.

        Args:
            look: what is known of a file by its name; nothing if it is not the one asked for.
            overwrite: whether the files of another request may be replaced.

        Raises:
            OutputError: other files are there, or those of another request and `overwrite` is not
                set.
        """
        try:
            there = {
                name
                for name in list_files(self.uri)
                if not name.startswith(_DRAFTS) and not is_owners(name)
            }
            if there:
                there = self._own(there, overwrite=overwrite)
            self.tidy()
            names = [name for name in self.names if name in there]
            with ThreadPoolExecutor(16) as pool:
                found = dict(zip(names, pool.map(look, names), strict=True))
            whole = {name: known for name, known in found.items() if known is not None}
            if len(whole) < len(self.names):
                self._write(REQUEST, self.identity)
                remove(join(self.uri, MANIFEST))
        except OSError as error:
            raise error if isinstance(error, OutputError) else OutputError(str(error)) from error
        return whole

    def _own(self, there: set[str], *, overwrite: bool) -> set[str]:
        """The names in the folder that may stay there."""
        index = next((name for name in (REQUEST, MANIFEST) if name in there), None)
        if index is None:
            raise OutputError(
                f"{self.uri} holds files that gtcoder {self.command} did not write; choose another "
                "--out"
            )
        try:
            earlier = self._read(index)
        except (ValueError, KeyError, TypeError) as error:
            path = join(self.uri, index)
            raise OutputError(
                f"{path} is damaged, or not of gtcoder {self.command}; choose another --out"
            ) from error
        odd = [k for k in {**self.identity, **earlier} if earlier.get(k) != self.identity.get(k)]
        if not odd:
            return there
        if not overwrite:
            raise OutputError(
                f"{self.uri} holds rows of another request (other {' and '.join(odd)}), "
                "written or being written; choose another --out, or add --overwrite to replace them"
            )
        # In an order that leaves something to go on from wherever it stops.
        self._write(REQUEST, earlier)
        remove(join(self.uri, MANIFEST))
        for name in filter(self.is_part, there):
            remove(join(self.uri, name))
        return set()

    @property
    def progress(self) -> str:
        """How many of the files are there."""
        there = list_files(self.uri)
        kept = sum(name in there for name in self.names)
        return f"{self.uri} keeps {kept:,} of {len(self.names):,} files"

    def tidy(self) -> None:
        """Remove what machines that were lost have left half written."""
        remove_leftovers(self.uri, _DRAFTS)

    def see_whole(self) -> None:
        """See that the files are where this process looks, and that nobody else took the folder.

        Raises:
            OutputError: they are not, or somebody did.
        """
        there = list_files(self.uri)
        missing = next((name for name in self.names if name not in there), None)
        if missing is not None:
            raise OutputError(
                f"{self.uri} lacks {missing}, which a worker wrote; give --out a place that all "
                "machines share, such as s3://"
            )
        try:
            ours = json.loads(read_bytes(join(self.uri, REQUEST))) == self.identity
        except FileNotFoundError:
            ours = False
        if not ours:
            raise OutputError(f"{self.uri} was taken over by another request; choose another --out")

    def finish(self, told: Mapping[str, Any]) -> None:
        """Say that all is there, and what is to be known of it."""
        self._write(MANIFEST, {**self.identity, **told})
        remove(join(self.uri, REQUEST))

    def is_finished(self) -> bool:
        """Whether the manifest in the folder is of this very request."""
        try:
            return self._read(MANIFEST) == self.identity
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _read(self, index: str) -> dict[str, Any]:
        """What an index says of what decides the files."""
        plain = json.loads(read_bytes(join(self.uri, index)))
        needed = [key for key in self.identity if key not in self.optional]
        optional = {key: plain[key] for key in sorted(self.optional) if key in plain}
        return {key: plain[key] for key in needed} | optional

    def _write(self, index: str, plain: Mapping[str, Any]) -> None:
        write_bytes(join(self.uri, index), (json.dumps(plain, indent=1) + "\n").encode())


def sign(parquet: pq.ParquetWriter, said: str) -> None:
    """Have a Parquet file say in its footer what it is."""
    parquet.add_key_value_metadata({_KEY: said.encode()})


def said_by(uri: str) -> tuple[str, int]:
    """What a Parquet file says it is, and its rows; nothing if it is not there or not whole."""
    try:
        with open_read(uri) as file:
            metadata = pq.read_metadata(file)
    except (FileNotFoundError, pa.ArrowException):
        return "", 0
    return (metadata.metadata or {}).get(_KEY, b"").decode(), metadata.num_rows
