"""The generation job: shards of one endless stream, each written whole by one actor.

A shard's rows follow from (bundle, seed, conditions, row range), never from who writes it. A shard
that is there and says it is the one asked for is kept, so a rerun ends with the same files.
"""

import dataclasses
import json
import re
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from gtcoder.bundle import Bundle
from gtcoder.errors import BundleError, ConfigError, OutputError
from gtcoder.table.files import (
    absolute,
    join,
    list_files,
    read_bytes,
    remove,
    remove_leftovers,
    write_bytes,
)
from gtcoder.where.constraint import constraints
from ray_jobs.cluster.answers import opened
from ray_jobs.cluster.connection import connected, data_context
from ray_jobs.cluster.progress import Reporter, counted, peak_bytes
from ray_jobs.cluster.workers import wait_for, wait_free
from ray_jobs.shards import Shard, ShardWriter, Stream, is_written

MANIFEST = "_manifest.json"
_REQUEST = "_request.json"
_DRAFTS = (".part-", f".{_REQUEST}", f".{MANIFEST}")
_SHARD_NAME = re.compile(r"part-\d+-of-\d+\.parquet")
_LEAST_ROWS, _MOST_ROWS, _FILES = 50_000, 1_000_000, 8
"""By default about 8 files, none under 50,000 rows, but of at most 1,000,000 rows each."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GenerateRequest:
    """What the user asked for."""

    bundle: str
    rows: int
    out: str
    seed: int = 0
    rows_per_file: int | None = None
    where: Sequence[str] = ()
    checksum: str | None = None
    """Of the bundle meant; of any, if not given."""
    num_workers: int | None = None
    address: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name in ("rows", "rows_per_file", "num_workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
        if self.seed < 0:
            raise ConfigError(f"--seed must not be negative, but is {self.seed}")

    @property
    def shard_rows(self) -> int:
        """Rows of every file but the last."""
        if self.rows_per_file is not None:
            return self.rows_per_file
        return min(max(-(-self.rows // _FILES), _LEAST_ROWS), _MOST_ROWS)

    def identity(self, bundle: Bundle) -> dict[str, Any]:
        """All that decides the files."""
        return {
            "bundle": bundle.checksum,
            "rows": self.rows,
            "rows_per_file": self.shard_rows,
            "seed": self.seed,
            "where": sorted(self.where),
        }


def run_generation(request: GenerateRequest, reporter: Reporter) -> None:
    """Write the rows asked for.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    bundle = Bundle.load(request.bundle)
    if request.checksum not in (None, bundle.checksum):
        raise BundleError(
            f"{request.bundle} holds another bundle than the one asked for (its checksum is "
            f"{bundle.checksum}); ask again, or put the other bundle back"
        )
    constraints(bundle.codec, list(request.where))
    identity = request.identity(bundle)
    stream = Stream(
        bundle=absolute(request.bundle),
        checksum=bundle.checksum,
        seed=request.seed,
        where=tuple(sorted(request.where)),
    )
    out = absolute(request.out)
    shards = _shards(request, out)
    todo = _claimed(out, identity, shards, stream, overwrite=request.overwrite)
    there = len(shards) - len(todo)
    if there:
        reporter.note(f"{there:,} of {len(shards):,} files are there already")
    if todo:
        _write(request, stream, todo, reporter)
    files = [{"name": shard.name, "rows": shard.rows} for shard in shards]
    remove_leftovers(out, _DRAFTS)  # of machines that were lost meanwhile
    if todo:
        see_whole(out, identity, shards)
    write_bytes(join(out, MANIFEST), _json(identity | {"files": files}))
    remove(join(out, _REQUEST))
    rows, seconds = sum(shard.rows for shard in todo), reporter.seconds.get("generate", 0.0)
    reporter.result(
        f"{request.rows:,} rows in {counted(len(shards), 'file')}, {rows:,} of them written now"
        + (f" at {rows / seconds:,.0f} rows/s; {reporter.stages()}" if seconds else "")
        + f"; peak memory {max(reporter.peak_bytes, peak_bytes()) / 1e6:,.0f} MB; {request.out}"
    )


def _claimed(
    out: str,
    identity: Mapping[str, Any],
    shards: Sequence[Shard],
    stream: Stream,
    *,
    overwrite: bool,
) -> list[Shard]:
    """Make the folder this request's own; the shards that are not in it yet.

    Raises:
        OutputError: other files are there, or those of another request and `overwrite` is not set.
    """
    try:
        names = {name for name in list_files(out) if not name.startswith(_DRAFTS)}
        if names:
            names = _ours(out, names, identity, overwrite=overwrite)
        remove_leftovers(out, _DRAFTS)
        with ThreadPoolExecutor(16) as pool:
            written = list(pool.map(lambda s: s.name in names and is_written(s, stream), shards))
        todo = [shard for shard, done in zip(shards, written, strict=True) if not done]
        if todo:
            write_bytes(join(out, _REQUEST), _json(identity))
            remove(join(out, MANIFEST))
    except OSError as error:
        raise error if isinstance(error, OutputError) else OutputError(str(error)) from error
    return todo


def _ours(out: str, names: set[str], identity: Mapping[str, Any], *, overwrite: bool) -> set[str]:
    """The names in the folder that may stay there."""
    index = next((name for name in (_REQUEST, MANIFEST) if name in names), None)
    if index is None:
        raise OutputError(
            f"{out} holds files that gtcoder generate did not write; choose another --out"
        )
    try:
        earlier = json.loads(read_bytes(join(out, index)))
        odd = [key for key in identity if earlier[key] != identity[key]]
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{join(out, index)} is damaged; choose another --out") from error
    if not odd:
        return names
    if not overwrite:
        raise OutputError(
            f"{out} holds rows of another request (its {', '.join(odd)} differ), written or being "
            "written; choose another --out, or add --overwrite to replace them"
        )
    # In an order that leaves something to go on from wherever it stops.
    write_bytes(join(out, _REQUEST), _json({key: earlier[key] for key in identity}))
    remove(join(out, MANIFEST))
    for name in filter(_SHARD_NAME.fullmatch, names):
        remove(join(out, name))
    return set()


def see_whole(out: str, identity: Mapping[str, Any], shards: Sequence[Shard]) -> None:
    """See that the files are where this process looks, and that nobody else took the folder.

    Raises:
        OutputError: they are not, or somebody did.
    """
    names = list_files(out)
    missing = next((shard.name for shard in shards if shard.name not in names), None)
    if missing is not None:
        raise OutputError(
            f"{out} lacks {missing}, which a worker wrote; give --out a place that all machines "
            "share, such as s3://"
        )
    try:
        ours = json.loads(read_bytes(join(out, _REQUEST))) == identity
    except FileNotFoundError:
        ours = False
    if not ours:
        raise OutputError(f"{out} was taken over by another request; choose another --out")


def _shards(request: GenerateRequest, out: str) -> list[Shard]:
    each = request.shard_rows
    count = -(-request.rows // each)
    return [
        Shard(
            uri=join(out, f"part-{index:05d}-of-{count:05d}.parquet"),
            start=index * each,
            stop=min((index + 1) * each, request.rows),
        )
        for index in range(count)
    ]


def _write(
    request: GenerateRequest, stream: Stream, todo: Sequence[Shard], reporter: Reporter
) -> None:
    """Write shards with a pool of actors, each of which loads the bundle once."""
    with ExitStack() as stack:
        with reporter.stage("start"):
            cluster = stack.enter_context(connected(request.address))
            most = min(request.num_workers or max(1, cluster.cpus), len(todo))
            cluster = wait_for(cluster, {"CPU": 1}, most)
            least = min(wait_free(cluster, "CPU", most, reporter).cpus, most)
        with reporter.stage("generate") as stage:
            total, done = sum(shard.rows for shard in todo), 0
            for row in _answers(stream, todo, least, most):
                opened(row, stage)
                done += row["rows"]
                stage.rows(done, total)


def _answers(stream: Stream, todo: Sequence[Shard], least: int, most: int) -> Iterator[Any]:
    import ray.data

    with ray.data.DataContext.current(data_context()):
        numbers = ray.data.from_items(
            [{"number": number} for number in range(len(todo))], override_num_blocks=len(todo)
        )
        answers = numbers.map_batches(
            ShardWriter,
            fn_constructor_kwargs={"stream": stream, "shards": list(todo)},
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
            num_cpus=1,
        )
        yield from answers.iter_rows()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


if __name__ == "__main__":  # python -m ray_jobs.generate is gtcoder generate
    sys.argv[:1] = ["gtcoder", "generate"]
    runpy.run_module("ray_jobs.cli", run_name="__main__")
