"""Learning new rows on from a bundle: what goes on, what is told, what is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError, SchemaError
from gtcoder.sampling.sample import Sampler
from ray_jobs.sources.located import located
from ray_jobs.train import TrainRequest, run_training
from ray_jobs.training.run_folder import begin

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def new_rows(make_rows, tmp_path):
    """Rows of a later day: a colour that was not there, sizes that were not, one column more."""
    table = make_rows(400, 9)
    colours = table["colour"].to_numpy(zero_copy_only=False).astype(object)
    colours[:100] = "violet"
    sizes = table["size"].to_numpy(zero_copy_only=False).clip(max=15)
    sizes[:30] = 1_000.0
    sizes = pa.array(sizes, from_pandas=True)
    path = tmp_path / "new.parquet"
    columns = {"size": sizes, "colour": colours, "count": table["count"], "more": np.arange(400)}
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_new_rows_are_learned_beside_what_was_known(
    ray_session, new_rows, bundle_path, tmp_path, reporter, capsys
):
    out = str(tmp_path / "b")
    request = TrainRequest(table=new_rows, out=out, base=bundle_path, epochs=2, num_workers=1)
    run_training(request, reporter)
    told = capsys.readouterr()
    for line in (
        "column 'more' is not in the bundle: left out",
        "column 'colour': 100 rows (25.0%) in a category without a name: learned as the commonest",
        "column 'size': 30 rows (7.5%) above its range: learned as its end",
        "better learn all rows anew",
    ):
        assert line in told.err
    before, after = Bundle.load(bundle_path), Bundle.load(out)
    assert after.info["from"] == before.checksum
    assert (after.info["rows"], after.info["new_rows"]) == (1000, 400)
    assert after.schema == before.schema
    drawn = Sampler(after.model(), after.codec).rows(1, 0, 2_000)
    assert drawn.schema == before.schema.arrow
    shares = {c: np.mean(np.array(drawn["colour"].to_pylist()) == c) for c in ("red", "green")}
    assert 0.4 < shares["red"] < 0.75
    first = before.model_state["decoder.bias"] - after.model_state["decoder.bias"]
    assert first.abs().max() < 1, "the weights went on from those there were"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": None}, "column 'size': expected double, found no such column; give the table"),
        ({"size": pa.array(["?"] * 400)}, "column 'size': expected double, found string"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    new_rows, bundle_path, tmp_path, reporter, changed, message
):
    table = pq.read_table(new_rows)
    for name, column in changed.items():
        table = table.drop_columns(name)
        table = table if column is None else table.append_column(name, column)
    pq.write_table(table, new_rows)
    request = TrainRequest(table=new_rows, out=str(tmp_path / "b"), base=bundle_path)
    with pytest.raises(SchemaError, match=message):
        run_training(request, reporter)
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]


@pytest.mark.parametrize("said", [{"preset": "paper"}, {"schema": {"columns": {}}}])
def test_what_the_bundle_decides_cannot_be_said(said):
    with pytest.raises(ConfigError, match="does not go with `base=`: it is the bundle's"):
        TrainRequest(table="t", out="b", base="a", **said)


def test_a_run_goes_on_from_the_same_bundle_only(new_rows, bundle_path, tmp_path, reporter):
    request = TrainRequest(table=new_rows, out=str(tmp_path / "b"), base=bundle_path, resume=True)
    source = located(new_rows, request, None)
    begin(str(tmp_path / "b.run"), request.identity(source) | {"from": "0" * 64})
    with pytest.raises(OutputError, match="begun with another bundle to go on --from"):
        run_training(request, reporter)
