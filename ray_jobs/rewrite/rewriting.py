"""What decides the files that a table's pieces become, and how they are known again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from re import fullmatch
from typing import Any

from gtcoder.table.files import join
from gtcoder.table.table import Piece
from ray_jobs.folder import Folder, said_by
from ray_jobs.rewrite.written import Written


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewriting:
    """What a task does with a piece, wherever it runs."""

    bundle: str
    checksum: str
    table: str
    """The table's fingerprint."""
    folder: str
    score: bool
    columns: tuple[str, ...]
    """Of the table, that are read."""
    whole: tuple[str, ...]
    """Columns that are drawn whole."""
    seed: int
    draws: int

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the files, as an index says it."""
        asked = {"score": self.score, "columns": list(self.columns), "whole": list(self.whole)}
        asked |= {"seed": self.seed, "draws": self.draws}
        return {"bundle": self.checksum, "table": self.table, **asked}

    def place(self, names: Sequence[str]) -> Folder:
        """The folder that files of some names are written to."""
        return Folder(
            uri=self.folder,
            identity=self.identity,
            names=names,
            command="score" if self.score else "complete",
            is_part=lambda name: fullmatch(r"part-\d{6}\.parquet", name) is not None,
        )

    def path(self, piece: Piece) -> str:
        """Where a piece's rows go."""
        return join(self.folder, file_name(piece))

    def footer(self, name: str, written: Written) -> str:
        """What a file says of itself."""
        return json.dumps({"fingerprint": self._fingerprint(name)} | written.to_dict())

    def before(self, name: str) -> Written | None:
        """What an earlier run has written of a file; nothing if it is not there, whole and ours."""
        said, _ = said_by(join(self.folder, name))
        plain = json.loads(said or "{}")
        if plain.get("fingerprint") != self._fingerprint(name):
            return None
        return Written.of(name, plain)

    def _fingerprint(self, name: str) -> str:
        return sha256(json.dumps([self.identity, name]).encode()).hexdigest()


def file_name(piece: Piece) -> str:
    """The name of the file that a piece becomes."""
    return f"part-{piece.index:06d}.parquet"
