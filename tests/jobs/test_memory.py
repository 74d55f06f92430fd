"""No process holds the whole table."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LIMIT_BYTES = 1_000_000_000
ROWS = 8_000_000


@pytest.fixture
def larger_than_the_limit(tmp_path):
    """Small on the disk, for every long text is there once; 1.6 GB once it is read."""
    rng, rows = np.random.default_rng(0), 250_000
    texts = pa.array([f"{number:0200d}" for number in range(50)])
    group = pa.table(
        {
            "text": pa.DictionaryArray.from_arrays(rng.integers(0, 50, rows), texts).cast("string"),
            "number": rng.normal(size=rows),
        }
    )
    assert group.nbytes * (ROWS // rows) > 1.6 * LIMIT_BYTES
    path = tmp_path / "table.parquet"
    with pq.ParquetWriter(path, group.schema) as writer:
        for _ in range(ROWS // rows):
            writer.write_table(group)
    return path


@pytest.mark.slow
def test_a_table_larger_than_the_memory_of_any_process(larger_than_the_limit, tmp_path, command):
    line = ["train", larger_than_the_limit, "--out", tmp_path / "b", "--max-time", "5s"]
    process = command(*line, "--num-workers", 2)
    answer, said = process.communicate()
    assert process.returncode == 0, said
    assert "8,000,000 rows learned" in answer
    megabytes = re.search(r"peak memory ([\d,]+) MB", answer)[1].replace(",", "")
    assert int(megabytes) * 1e6 < LIMIT_BYTES
