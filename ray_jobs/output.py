"""What a generation writes, and how it is known again: a folder of shards with an index.

The index is `_request.json` until all shards are there, then `_manifest.json`; either says what
decides the files, so a rerun goes on with its own and nobody takes another's for its own.
"""

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gtcoder.errors import OutputError
from gtcoder.table.files import join, list_files, read_bytes, remove, remove_leftovers, write_bytes
from ray_jobs.owner import is_owners
from ray_jobs.shards import CPU, FileFormat, Shard, Stream, is_written

MANIFEST = "_manifest.json"
_REQUEST = "_request.json"
_DRAFTS = (".part-", f".{_REQUEST}", f".{MANIFEST}")
_SHARD = re.compile(r"part-(\d+)-of-\d+\.(?:parquet|csv|jsonl)")


def is_shard(name: str) -> bool:
    """Whether a file is called as a shard is."""
    return _SHARD.fullmatch(name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A folder, and all that decides the files in it; who writes to it owns it (see `owned`)."""

    folder: str
    bundle: str
    """Checksum of the bundle that the rows come from."""
    rows: int
    rows_per_file: int
    seed: int
    where: Sequence[str]
    format: FileFormat = FileFormat.PARQUET
    device: str = CPU

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the files, as an index says it."""
        return {
            "bundle": self.bundle,
            "rows": self.rows,
            "rows_per_file": self.rows_per_file,
            "seed": self.seed,
            "where": sorted(self.where),
            **({} if self.format is FileFormat.PARQUET else {"format": self.format.value}),
            **({} if self.device == CPU else {"device": self.device}),
        }

    @property
    def shards(self) -> list[Shard]:
        """The shards, in the order of their rows."""
        count = -(-self.rows // self.rows_per_file)
        return [
            Shard(
                join(self.folder, f"part-{index:05d}-of-{count:05d}.{self.format}"),
                *self._range(index),
            )
            for index in range(count)
        ]

    def rows_in(self, name: str) -> int:
        """Rows of the shard of this name; 0 if it is none."""
        match = _SHARD.fullmatch(name)
        if match is None:
            return 0
        start, stop = self._range(int(match[1]))
        return max(0, stop - start)

    def _range(self, index: int) -> tuple[int, int]:
        start = index * self.rows_per_file
        return start, min(start + self.rows_per_file, self.rows)

    def claim(self, stream: Stream, *, overwrite: bool) -> list[Shard]:
        """Make the folder this request's own; the shards that are not in it yet.

        Raises:
            OutputError: other files are there, or those of another request and `overwrite` is not
                set.
        """
        try:
            names = {
                name
                for name in list_files(self.folder)
                if not name.startswith(_DRAFTS) and not is_owners(name)
            }
            if names:
                names = self._own(names, overwrite=overwrite)
            self.tidy()
            shards = self.shards
            with ThreadPoolExecutor(16) as pool:
                written = list(
                    pool.map(lambda s: s.name in names and is_written(s, stream), shards)
                )
            todo = [shard for shard, done in zip(shards, written, strict=True) if not done]
            if todo:
                self._write(_REQUEST, self.identity)
                remove(join(self.folder, MANIFEST))
        except OSError as error:
            raise error if isinstance(error, OutputError) else OutputError(str(error)) from error
        return todo

    def _own(self, names: set[str], *, overwrite: bool) -> set[str]:
        """The names in the folder that may stay there."""
        index = next((name for name in (_REQUEST, MANIFEST) if name in names), None)
        if index is None:
            raise OutputError(
                f"{self.folder} holds files that gtcoder generate did not write; choose another "
                "--out"
            )
        try:
            earlier = self._read(index)
        except (ValueError, KeyError, TypeError) as error:
            path = join(self.folder, index)
            raise OutputError(f"{path} is damaged; choose another --out") from error
        odd = [k for k in (self.identity | earlier) if earlier.get(k) != self.identity.get(k)]
        if not odd:
            return names
        if not overwrite:
            raise OutputError(
                f"{self.folder} holds rows of another request (its {', '.join(odd)} differ), "
                "written or being written; choose another --out, or add --overwrite to replace them"
            )
        # In an order that leaves something to go on from wherever it stops.
        self._write(_REQUEST, earlier)
        remove(join(self.folder, MANIFEST))
        for name in filter(is_shard, names):
            remove(join(self.folder, name))
        return set()

    @property
    def progress(self) -> str:
        """How many of the files are there."""
        names = list_files(self.folder)
        there = sum(shard.name in names for shard in self.shards)
        return f"{self.folder} keeps {there:,} of {len(self.shards):,} files"

    def tidy(self) -> None:
        """Remove what machines that were lost have left half written."""
        remove_leftovers(self.folder, _DRAFTS)

    def see_whole(self) -> None:
        """See that the files are where this process looks, and that nobody else took the folder.

        Raises:
            OutputError: they are not, or somebody did.
        """
        names = list_files(self.folder)
        missing = next((shard.name for shard in self.shards if shard.name not in names), None)
        if missing is not None:
            raise OutputError(
                f"{self.folder} lacks {missing}, which a worker wrote; give --out a place that all "
                "machines share, such as s3://"
            )
        try:
            ours = json.loads(read_bytes(join(self.folder, _REQUEST))) == self.identity
        except FileNotFoundError:
            ours = False
        if not ours:
            raise OutputError(
                f"{self.folder} was taken over by another request; choose another --out"
            )

    def finish(self, warning: str = "") -> None:
        """Say that all is there, and what is to be known of the rows, if anything."""
        files = [{"name": shard.name, "rows": shard.rows} for shard in self.shards]
        told = {"warning": warning} if warning else {}
        self._write(MANIFEST, self.identity | told | {"files": files})
        remove(join(self.folder, _REQUEST))

    def is_finished(self) -> bool:
        """Whether the manifest in the folder is of this very request."""
        try:
            return self._read(MANIFEST) == self.identity
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _read(self, index: str) -> dict[str, Any]:
        """What an index says of what decides the files."""
        plain = json.loads(read_bytes(join(self.folder, index)))
        optional = {"format": plain["format"]} if "format" in plain else {}
        needed = self.identity.keys() - {"format"}
        return {key: plain[key] for key in self.identity if key in needed} | optional

    def _write(self, index: str, plain: dict[str, Any]) -> None:
        write_bytes(join(self.folder, index), (json.dumps(plain, indent=1) + "\n").encode())
