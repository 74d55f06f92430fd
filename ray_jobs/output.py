"""What a generation writes, and how it is known again: a folder of shards with an index.

The index is `_request.json` until all shards are there, then `_manifest.json`; either says what
decides the files, so a rerun goes on with its own and nobody takes another's for its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gtcoder.table.files import join
from ray_jobs.folder import Folder
from ray_jobs.shards import CPU, FileFormat, Shard, Stream, is_written

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

    @property
    def _place(self) -> Folder:
        return Folder(
            uri=self.folder,
            identity=self.identity,
            names=[shard.name for shard in self.shards],
            command="generate",
            is_part=is_shard,
            optional=frozenset({"format", "device"}),
        )

    def claim(self, stream: Stream, *, overwrite: bool) -> list[Shard]:
        """Make the folder this request's own; the shards that are not in it yet.

        Raises:
            OutputError: other files are there, or those of another request and `overwrite` is not
                set.
        """
        shards = {shard.name: shard for shard in self.shards}
        there = self._place.claim(
            lambda name: is_written(shards[name], stream) or None, overwrite=overwrite
        )
        return [shard for name, shard in shards.items() if name not in there]

    @property
    def progress(self) -> str:
        """How many of the files are there."""
        return self._place.progress

    def tidy(self) -> None:
        """Remove what machines that were lost have left half written."""
        self._place.tidy()

    def see_whole(self) -> None:
        """See that the files are where this process looks, and that nobody else took the folder.

        Raises:
            OutputError: they are not, or somebody did.
        """
        self._place.see_whole()

    def finish(self, warning: str = "") -> None:
        """Say that all is there, and what is to be known of the rows, if anything."""
        files = [{"name": shard.name, "rows": shard.rows} for shard in self.shards]
        told = {"warning": warning} if warning else {}
        self._place.finish(told | {"files": files})

    def is_finished(self) -> bool:
        """Whether the manifest in the folder is of this very request."""
        return self._place.is_finished()
