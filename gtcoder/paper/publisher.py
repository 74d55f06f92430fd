"""Tables of the UCI Machine Learning Repository: downloaded once, checked, and parsed.

An archive is in the cache whole or not at all. Its SHA-256 is checked against the known one, or
where none is known against the first download's, which is kept beside it.
"""

import hashlib
import http.client
import io
import os
import sys
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from gtcoder.errors import TableError
from gtcoder.table.files import write_bytes

TIMEOUT_S = 60.0
"""For the publisher to answer."""
_SITE = "https://archive.ics.uci.edu/static/public"


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """A published zip file and how the table stands in it."""

    url: str
    members: tuple[str, ...]
    """Delimited files that together are the table."""
    rows: int
    columns: tuple[str, ...] | None = None
    """Names in order; None where the file has a header."""
    skipped: tuple[str, ...] = ()
    """Lines that begin so are no rows."""
    ending: str = ""
    """What may stand after the last column's values and is no part of them."""
    sha256: str | None = None
    """Of the archive, where it is known."""

    @property
    def name(self) -> str:
        """Its file's name in the cache."""
        return self.url.rsplit("/", 1)[1]


ARCHIVES: Mapping[str, Archive] = {
    "adult": Archive(
        url=f"{_SITE}/2/adult.zip",
        members=("adult.data", "adult.test"),
        rows=48_842,
        columns=(
            *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status"),
            *("occupation", "relationship", "race", "sex", "capital_gain", "capital_loss"),
            *("hours_per_week", "native_country", "income"),
        ),
        skipped=("|",),
        ending=".",
    ),
    "news": Archive(
        url=f"{_SITE}/332/online+news+popularity.zip",
        members=("OnlineNewsPopularity/OnlineNewsPopularity.csv",),
        rows=39_644,
    ),
    "abalone": Archive(
        url=f"{_SITE}/1/abalone.zip",
        members=("abalone.data",),
        rows=4_177,
        columns=(
            *("sex", "length", "diameter", "height", "whole_weight", "shucked_weight"),
            *("viscera_weight", "shell_weight", "rings"),
        ),
    ),
    "ionosphere": Archive(
        url=f"{_SITE}/52/ionosphere.zip",
        members=("ionosphere.data",),
        rows=351,
        columns=(
            *(f"pulse{at:02d}_{part}" for at in range(1, 18) for part in ("re", "im")),
            "class",
        ),
    ),
    "mushroom": Archive(
        url=f"{_SITE}/73/mushroom.zip",
        members=("agaricus-lepiota.data",),
        rows=8_124,
        columns=(
            *("class", "cap_shape", "cap_surface", "cap_color", "bruises", "odor"),
            *("gill_attachment", "gill_spacing", "gill_size", "gill_color", "stalk_shape"),
            *("stalk_root", "stalk_surface_above_ring", "stalk_surface_below_ring"),
            *("stalk_color_above_ring", "stalk_color_below_ring", "veil_type", "veil_color"),
            *("ring_number", "ring_type", "spore_print_color", "population", "habitat"),
        ),
    ),
    "sonar": Archive(
        url=f"{_SITE}/151/connectionist+bench+sonar+mines+vs+rocks.zip",
        members=("sonar.all-data",),
        rows=208,
        columns=(*(f"band{at:02d}" for at in range(1, 61)), "class"),
    ),
    "maternal_health_risk": Archive(
        url=f"{_SITE}/863/maternal+health+risk.zip",
        members=("Maternal Health Risk Data Set.csv",),
        rows=1_014,
    ),
}
"""What is downloaded, by name."""


def fetch(archive: Archive, cache: Path | None = None) -> pa.Table:
    """The table of an archive, downloaded if the cache has it not.

    Raises:
        TableError: it cannot be downloaded, or is not what was published.
    """
    path = (cache or cache_folder()) / archive.name
    content = path.read_bytes() if path.exists() else _download(archive)
    kept = path.with_name(path.name + ".sha256")
    found = hashlib.sha256(content).hexdigest()
    expected = archive.sha256 or (kept.read_text().strip() if kept.exists() else found)
    if found != expected:
        raise TableError(
            f"{path if path.exists() else archive.url}: expected SHA-256 {expected}, found {found};"
            " remove the cached file if there is one, and try again"
        )
    table = parse(archive, content)
    if not path.exists():
        write_bytes(path, content)
        write_bytes(kept, f"{found}\n".encode())
    return table


def cache_folder() -> Path:
    """The user's cache folder of this library."""
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"]) / "gtcoder"
    places = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    return Path.home() / places.get(sys.platform, ".cache") / "gtcoder"


def _download(archive: Archive) -> bytes:
    try:
        with urllib.request.urlopen(archive.url, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise TableError(
            f"{archive.url} cannot be downloaded ({error}); check the network, or name a folder "
            "of Parquet files with `data=` or GTCODER_DATA"
        ) from error
    return content


def parse(archive: Archive, content: bytes) -> pa.Table:
    """The table in a downloaded archive; `?` and nothing are null, spaces around values no part.

    Raises:
        TableError: it is no archive, or holds other files or another number of rows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            tables = [_read(archive, packed.read(member)) for member in archive.members]
        table = pa.concat_tables(tables).combine_chunks()
    except (zipfile.BadZipFile, KeyError, pa.ArrowException) as error:
        raise TableError(f"{archive.url}: not the archive expected ({error})") from error
    if len(table) != archive.rows:
        raise TableError(f"{archive.url}: expected {archive.rows} rows, found {len(table)}")
    return table


def _read(archive: Archive, content: bytes) -> pa.Table:
    lines = [line.strip() for line in content.decode("latin-1").splitlines()]
    kept = [
        line
        for line in lines
        if line and not (archive.skipped and line.startswith(archive.skipped))
    ]
    trimmed = "\n".join(",".join(cell.strip() for cell in line.split(",")) for line in kept)
    table = pa.csv.read_csv(
        io.BytesIO(trimmed.encode()),
        read_options=pa.csv.ReadOptions(column_names=archive.columns),
        convert_options=pa.csv.ConvertOptions(
            null_values=["?", ""], strings_can_be_null=True, true_values=[], false_values=[]
        ),
    )
    last = table.column_names[-1]
    if archive.ending and pa.types.is_string(table[last].type):
        cut = pc.utf8_rtrim(table[last], characters=archive.ending)
        table = table.set_column(len(table.column_names) - 1, last, cut)
    return table
