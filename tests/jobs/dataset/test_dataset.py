"""Datasets of Ray Data, learned and drawn."""

import pandas as pd
import pyarrow as pa
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import ConditionError, ConfigError, TableError
from gtcoder.progress import Stage
from gtcoder.sampling.sample import Sampler
from gtcoder.sketch.table import TableSketch
from ray_jobs.dataset import fit, sample
from ray_jobs.sources.dataset import DatasetSource

pytestmark = pytest.mark.usefixtures("ray_session")


def together(dataset):
    return pa.concat_tables(dataset.iter_batches(batch_format="pyarrow", batch_size=None))


def test_a_dataset_is_learned_and_drawn_in_a_few_lines(make_rows):
    import ray.data

    table = make_rows(600)
    bundle = fit(ray.data.from_arrow(table).repartition(3), epochs=1, num_workers=1, seed=4)
    assert bundle.info["rows"] == 600
    assert bundle.codec.schema.arrow == table.schema
    drawn = together(sample(bundle, 500, where=["colour=red"], seed=1, rows_per_block=200))
    assert drawn.num_rows == 500
    assert drawn.schema == table.schema
    assert set(drawn["colour"].to_pylist()) == {"red"}


def test_rows_are_those_of_a_generation(bundle_path):
    bundle = Bundle.load(bundle_path)
    expected = Sampler(bundle.model(), bundle.codec).rows(3, 0, 1_000)
    drawn = together(sample(bundle_path, 1_000, seed=3, rows_per_block=300, num_workers=2))
    assert sorted(map(str, drawn.to_pylist())) == sorted(map(str, expected.to_pylist()))


@pytest.mark.parametrize("blocks", [1, 5])
def test_blocks_whatever_they_are_give_the_sketch_of_all_rows(blocks):
    import ray.data

    frame = pd.DataFrame({"a": [None] * 50 + ["x", "y"] * 75, "b": range(200)})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for dataset in (ray.data.from_pandas(frame), ray.data.from_arrow(table)):
        source = DatasetSource.of(dataset.repartition(blocks))
        assert not pa.types.is_null(source.schema.field("a").type)
        sketch, _ = source.sketch(["b", "a"], Stage("sketch"))
        whole = TableSketch.of(
            table.select(["b", "a"]).cast(
                pa.schema([source.schema.field("b"), source.schema.field("a")])
            )
        )
        assert sketch.to_dict() == whole.to_dict()


def test_what_cannot_be_learned_is_one_line():
    import ray.data

    with pytest.raises(TableError, match="the table has no rows"):
        fit(ray.data.from_items([{"a": 1}]).filter(lambda row: False))
    with pytest.raises(TypeError, match="epoch"):
        fit(ray.data.range(10), epoch=3)
    with pytest.raises(ConfigError, match="cannot skip bad files"):
        fit(ray.data.range(10), on_bad_file="skip")


def test_what_cannot_be_drawn_is_told_before_anything_runs(bundle_path):
    with pytest.raises(ConditionError):
        sample(bundle_path, 10, where=["colour=mauve"])
    with pytest.raises(ConfigError, match="rows must be at least 1, not 0"):
        sample(bundle_path, 0)
