"""Real Delta and Iceberg tables, learned from and written, with the types that they have."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError, TableError
from gtcoder.progress import Reporter
from gtcoder.sampling.sample import Sampler
from gtcoder.synthesizer import Synthesizer
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.inspect import InspectRequest, run_inspection
from ray_jobs.sources.named import named_table
from ray_jobs.sources.stored import as_stored, stored
from ray_jobs.train import TrainRequest, run_training

pytestmark = pytest.mark.usefixtures("ray_session")
ROWS = 400


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    start = dt.datetime(2024, 1, 1)
    return pa.table(
        {
            "small": pa.array(rng.integers(0, 200, ROWS), pa.uint8()),
            "size": rng.normal(size=ROWS),
            "word": pa.array(rng.choice(["a", "b"], ROWS)).dictionary_encode(),
            "day": [start.date() + dt.timedelta(int(d)) for d in rng.integers(0, 99, ROWS)],
            "at": pa.array(
                [start + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 10**6, ROWS)],
                pa.timestamp("ns", "Europe/Paris"),
            ),
            "took": pa.array(rng.integers(0, 10**6, ROWS), pa.duration("us")),
            "price": pa.array([Decimal(int(v)) / 4 for v in rng.integers(0, 99, ROWS)]),
        }
    )


@pytest.fixture(scope="module")
def bundle(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "b"
    Synthesizer(epochs=1).fit(table).save(path)
    return str(path)


@pytest.fixture(params=["delta", "iceberg"])
def name(request, tmp_path, catalog):
    """A table that is not there yet."""
    if request.param == "delta":
        return f"delta:{tmp_path}/t"
    return f"iceberg:{catalog}.shop.{tmp_path.name}"


def generate(bundle, out, **asked):
    run_generation(GenerateRequest(bundle=bundle, rows=300, out=out, **asked), Reporter(quiet=True))


def content(name):
    rows = named_table(name).source().dataset.iter_batches(batch_format="pyarrow", batch_size=None)
    return pa.concat_tables(rows)


def test_rows_go_out_with_their_types_and_come_in_again(bundle, name, tmp_path, capsys):
    generate(bundle, name, seed=5)
    kind = name.partition(":")[0]
    assert f"{kind} tables lack some types" in capsys.readouterr().err
    opened = Bundle.load(bundle)
    drawn = Sampler(opened.model(), opened.codec).rows(5, 0, 300)
    wanted = as_stored(drawn, stored(drawn.schema, kind))
    back = content(name).cast(wanted.schema)
    key = [("size", "ascending"), ("took", "ascending")]
    assert back.sort_by(key).to_pylist() == wanted.sort_by(key).to_pylist()
    assert wanted.schema.field("took").type == pa.int64()
    assert wanted.schema.field("at").type == pa.timestamp("us", "UTC")

    with pytest.raises(OutputError, match="exists; choose another name, or add --overwrite"):
        generate(bundle, name)
    generate(bundle, name, seed=6, overwrite=True)
    assert content(name).num_rows == 300

    run_inspection(InspectRequest(table=name), Reporter(quiet=True))
    assert "price" in capsys.readouterr().out
    if kind == "iceberg":  # from here on it is a dataset like any other
        return
    out = str(tmp_path / "learned")
    run_training(TrainRequest(table=name, out=out, epochs=1, num_workers=1), Reporter(quiet=True))
    learned = Bundle.load(out)
    assert learned.info["rows"] == 300
    assert pa.types.is_decimal(learned.codec.schema.arrow.field("price").type)


def test_a_table_that_is_not_there_is_one_line(name, tmp_path):
    with pytest.raises(TableError, match=r"there is no (Delta table|such Iceberg table)"):
        run_training(TrainRequest(table=name, out=str(tmp_path / "b")), Reporter(quiet=True))


def test_formats_and_names_agree(tmp_path):
    asked = {"bundle": "b", "rows": 1}
    assert GenerateRequest(**asked, out="x/y", format="delta").table.uri == "delta:x/y"
    assert GenerateRequest(**asked, out="a.b.c", format="iceberg").table.uri == "iceberg:a.b.c"
    with pytest.raises(ConfigError, match="say different things"):
        GenerateRequest(**asked, out="delta:x", format="csv")
    with pytest.raises(ConfigError, match="--rows-per-file"):
        GenerateRequest(**asked, out="delta:x", rows_per_file=5)


def test_an_iceberg_catalogue_that_is_not_described_is_told(catalog):
    with pytest.raises(ConfigError, match=r"the catalogue 'nowhere' cannot be opened .*PYICEBERG"):
        named_table("iceberg:nowhere.a.b").source()
    with pytest.raises(ConfigError, match=r"expected iceberg:CATALOG.NAMESPACE.TABLE"):
        named_table("iceberg:nowhere.b").source()
