"""`sample`: synthetic rows as a dataset of Ray Data."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError
from gtcoder.sampling.sample import Sampler
from gtcoder.table.files import absolute
from gtcoder.training.options import device_named
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where
from ray_jobs.cluster.cluster import alone, present
from ray_jobs.cluster.pool import pool
from ray_jobs.shards import CPU, GROUP_ROWS
from ray_jobs.sources.stored import as_stored


def sample(
    bundle: Bundle | str,
    rows: int,
    *,
    where: Where = (),
    seed: int = 0,
    rows_per_block: int = GROUP_ROWS,
    num_workers: int | None = None,
    schema: pa.Schema | None = None,
    use_gpu: bool = False,
) -> Any:
    """Draw a dataset; nothing is drawn before it is used.

    Its rows are those that `gtcoder generate` writes for the same bundle, conditions and seed.

    Args:
        bundle: a bundle, or where one is that all machines see.
        rows: how many.
        where: conditions that every row meets.
        seed: the same seed gives the same rows.
        rows_per_block: rows of a block, and of one task's memory.
        num_workers: actors at most, one CPU each; as many as there are blocks when not given, as
            the cluster has room and grows.
        schema: other types for the same columns, for a sink that lacks some (see `stored`).
        use_gpu: draw on a GPU for each actor rather than on a CPU.

    Returns:
        A `ray.data.Dataset` with the table's columns and types.

    Warns:
        UserWarning: conditions are so seldom met together that few combinations of what they
            bind are drawn.

    Raises:
        BundleError: there is no bundle, or it is damaged.
        ConditionError: a condition names what the table did not have.
        ConfigError: a number is less than it can be.
    """
    import ray.data

    for name, least, value in (
        ("rows", 1, rows),
        ("rows_per_block", 1, rows_per_block),
        ("num_workers", 1, num_workers if num_workers is not None else 1),
        ("seed", 0, seed),
    ):
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, not {value}")
    loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    asked = constraints(loaded.codec, where)
    if asked.fields and (told := Sampler(loaded.model(), loaded.codec, asked).plan.warning):
        warnings.warn(told, stacklevel=2)
    blocks = [
        {"start": start, "stop": min(start + rows_per_block, rows)}
        for start in range(0, rows, rows_per_block)
    ]
    dataset = ray.data.from_items(blocks, override_num_blocks=len(blocks))
    return dataset.map_batches(
        _Drawer,
        fn_constructor_kwargs={
            "bundle": ray.put(bundle) if isinstance(bundle, Bundle) else absolute(bundle),
            "checksum": loaded.checksum,
            "where": where,
            "seed": seed,
            "schema": schema or loaded.codec.schema.arrow,
            "device": "cuda" if use_gpu else CPU,
        },
        batch_size=None,
        batch_format="pyarrow",
        compute=pool(present(local=alone()), len(blocks), num_workers),
        num_cpus=0 if use_gpu else 1,
        num_gpus=1 if use_gpu else 0,
    )


class _Drawer:
    """An actor: has the bundle, and draws block after block."""

    def __init__(
        self,
        bundle: Any,
        checksum: str,
        where: Where,
        seed: int,
        schema: pa.Schema,
        device: str,
    ) -> None:
        import ray
        import torch

        torch.set_num_threads(1)
        loaded = Bundle.load(bundle, checksum) if isinstance(bundle, str) else ray.get(bundle)
        asked = constraints(loaded.codec, where)
        device_named(device)
        self._sampler = Sampler(loaded.model(), loaded.codec, asked, device=device)
        self._seed, self._schema = seed, schema

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        """The rows of some ranges."""
        ranges: Sequence[dict[str, int]] = batch.to_pylist()
        for each in ranges:
            rows = self._sampler.rows(self._seed, each["start"], each["stop"])
            yield rows if rows.schema == self._schema else as_stored(rows, self._schema)
