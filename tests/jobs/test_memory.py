"""No process holds the whole table: each has less memory than the table takes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle

LIMIT_BYTES = 3_000_000_000
"""Of what a process may reserve, threads' stacks included; an idle worker has half of it."""
ROWS = 20_000_000
LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, ({LIMIT_BYTES}, {LIMIT_BYTES}))
"""
"""Holds for the process and for all that Ray starts below it."""


@pytest.fixture
def larger_than_the_limit(tmp_path):
    """Small on the disk, for every long text is there once; 4.2 GB once it is read."""
    rng, rows = np.random.default_rng(0), 250_000
    texts = pa.array([f"{number:0200d}" for number in range(50)])
    group = pa.table(
        {
            "text": pa.DictionaryArray.from_arrays(rng.integers(0, 50, rows), texts).cast("string"),
            "number": rng.normal(size=rows),
        }
    )
    assert group.nbytes * (ROWS // rows) > 1.4 * LIMIT_BYTES
    path = tmp_path / "table.parquet"
    with pq.ParquetWriter(path, group.schema) as writer:
        for _ in range(ROWS // rows):
            writer.write_table(group)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_table_larger_than_the_memory_of_any_process(larger_than_the_limit, tmp_path, command):
    whole = command(larger_than_the_limit, program=LIMITED + READ_WHOLE)
    _, said = whole.communicate()
    assert "ArrowMemoryError" in said, "the limit holds"

    bundle, out = tmp_path / "b", tmp_path / "o"
    for line in (
        ["train", larger_than_the_limit, "--out", bundle, "--max-time", "5s", "--num-workers", 2],
        ["generate", bundle, "--rows", ROWS, "--out", out, "--num-workers", 2],
    ):
        process = command(*line, program=LIMITED + "from ray_jobs.cli.__main__ import main; main()")
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert Bundle.load(bundle).info["rows"] == ROWS
    files = [pq.ParquetFile(path) for path in out.glob("*.parquet")]
    assert sum(file.metadata.num_rows for file in files) == ROWS
    rows = files[0].read_row_group(0)
    assert rows.nbytes / len(rows) * ROWS > 1.4 * LIMIT_BYTES


READ_WHOLE = """
import sys
import pyarrow.parquet as pq
pq.read_table(sys.argv[1])
"""
