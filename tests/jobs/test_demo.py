"""What the demo is made of; the whole of it takes minutes and is marked slow."""

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.locate import locate
from ray_jobs.comparison import compare, table_lines
from ray_jobs.demo import run_demo, write_flights


def test_the_flights_are_a_table_partitioned_by_month(tmp_path):
    write_flights(tmp_path / "flights")
    table = locate(tmp_path / "flights")
    assert table.rows == 336_776
    assert len(table.files) == 12
    assert table.partitions.names == ["month"]
    assert len(table.schema) == 19
    assert pa.types.is_timestamp(table.schema.field("time_hour").type)


@pytest.fixture(scope="module")
def real():
    rng = np.random.default_rng(0)
    size = rng.normal(size=4_000)
    place = np.where(size > 0, "here", "there")
    return pa.table(
        {"size": pa.array(size, mask=rng.random(4_000) < 0.2), "place": place, "two": [2] * 4_000}
    )


@pytest.fixture(scope="module")
def codec(real):
    sketch = TableSketch.of(real)
    return Codec.fit(Schema.infer(real.schema, sketch), sketch)


def test_a_table_is_like_itself(real, codec):
    comparison = compare(real, real, codec)
    assert comparison.columns == pytest.approx({"size": 1.0, "place": 1.0})
    assert (comparison.mean, comparison.pairs) == pytest.approx((1.0, 1.0))


def test_what_pairs_show_and_columns_do_not(real, codec):
    order = np.random.default_rng(1).permutation(len(real))
    shuffled = real.set_column(1, "place", real["place"].take(order))
    comparison = compare(real, shuffled, codec)
    assert comparison.columns == pytest.approx({"size": 1.0, "place": 1.0})
    assert comparison.pairs < 0.7


def test_lines_for_every_kind_of_column(real, codec):
    lines = table_lines(real, real, compare(real, real, codec))
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[0].split() == ["column", "real", "synthetic", "overlap"]
    assert "missing" in lines[1]
    assert "here" in lines[2] or "there" in lines[2]
    assert lines[1].endswith("100.0%")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo(tmp_path, reporter, capsys):
    run_demo(str(tmp_path), None, reporter)
    assert locate(tmp_path / "synthetic").rows == 200_000
    assert "gtcoder generate" in capsys.readouterr().out
