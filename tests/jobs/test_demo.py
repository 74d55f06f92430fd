"""What the demo is made of; the whole of it takes minutes and is marked slow."""

import pyarrow as pa
import pytest

from gtcoder.table.locate import locate
from ray_jobs.demo import run_demo, write_flights


def test_the_flights_are_a_table_partitioned_by_month(tmp_path):
    write_flights(tmp_path / "flights")
    table = locate(tmp_path / "flights")
    assert table.rows == 336_776
    assert len(table.files) == 12
    assert table.partitions.names == ["month"]
    assert len(table.schema) == 19
    assert pa.types.is_timestamp(table.schema.field("time_hour").type)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo(tmp_path, reporter, capsys):
    run_demo(str(tmp_path), None, reporter)
    assert locate(tmp_path / "synthetic").rows == 200_000
    assert (tmp_path / "bundle.report" / "report.html").exists()
    assert "gtcoder generate" in capsys.readouterr().out
