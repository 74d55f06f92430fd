"""The Python client against the real service."""

from functools import partial
from urllib.parse import urlsplit

import pandas as pd
import pytest

from gtcoder.client import Client
from gtcoder.errors import ConfigError, ServiceError, TableError
from gtcoder.synthesizer import Synthesizer

KEY = "the-key-of-these-tests"

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def client(url):
    with Client(url, key=KEY) as client:
        yield client


def test_rows_are_those_of_the_library(client, bundle_path):
    assert client.models() == ["claims", "other"]
    assert [column["name"] for column in client.model("other")["columns"]] == ["colour", "size"]
    where = {"colour": {"red", "blue"}, "size": (8, None)}
    rows = client.sample("claims", 700, where=where, seed=3)
    library = Synthesizer.load(bundle_path)
    pd.testing.assert_frame_equal(rows, library.sample(700, where=where, seed=3))
    chosen = client.sample("claims", 5, where="colour=red", columns=["size"])
    assert list(chosen.columns) == ["size"]


def test_explanations(client):
    model = client.explain("claims")
    rows = client.sample("claims", 20, seed=1)
    given = client.explain("claims", rows)
    assert given["contributions"].keys() == model["contributions"].keys()
    assert len(given["each"]) == 20
    assert client.heat_map("claims").startswith(b"\x89PNG")


def test_rows_are_completed_as_the_library_does(client, bundle_path):
    library = Synthesizer.load(bundle_path)
    rows = client.sample("claims", 40, seed=1).drop(columns="count").assign(other=1)
    rows.index = pd.Index(range(100, 140), name="key")
    rows.loc[100:120, "colour"] = None
    done = client.complete("claims", rows, seed=3)
    same = partial(pd.testing.assert_frame_equal, check_categorical=False)  # but for their order
    same(done, library.complete(rows, seed=3))
    drawn = client.complete("claims", rows, columns=["size"], n=3, seed=3)
    same(drawn, library.complete(rows, columns=["size"], n=3, seed=3))
    assert not client.complete("claims", rows).equals(done)
    texts = done[["count"]].astype(float).astype(str)
    same(client.complete("claims", texts, seed=3)[["count"]], done[["count"]])
    nothing = client.complete("claims", rows[["other"]], seed=3)
    same(nothing, library.complete(rows[["other"]], seed=3))
    with pytest.raises(TableError, match="'size': expected double"):
        client.complete("claims", rows.assign(size="x"))
    with pytest.raises(ServiceError, match=r"422.*at most 50"):
        client.complete("claims", pd.concat([rows, rows]))


@pytest.mark.parametrize(("model", "columns"), [("claims", True), ("claims", False), ("other", 0)])
def test_rows_are_scored_as_the_library_does(
    client, bundle_path, other_bundle_path, model, columns
):
    rows = client.sample(model, 30, seed=1).set_axis(range(100, 130))
    library = Synthesizer.load({"claims": bundle_path, "other": other_bundle_path}[model])
    told = client.score(model, rows, columns=bool(columns))
    wanted = library.score(rows, columns=bool(columns)).astype({"excess": float})
    pd.testing.assert_frame_equal(told, wanted, rtol=1e-3)


def test_a_batch_is_waited_for_and_read(client, capsys):
    wanted = {"n": 900, "seed": 2, "where": ["colour=green"], "rows_per_file": 500}
    batch = client.start_batch("claims", **wanted)
    again = client.start_batch("claims", **wanted, idempotency_key=batch.idempotency_key)
    assert again.id == batch.id
    state = batch.wait(progress=True, timeout_s=90)
    assert state["rows_written"] == 900
    tables = [client.batch(batch.id).download(file["name"]) for file in state["files"]]
    assert [len(table) for table in tables] == [500, 400]
    assert set(tables[0]["colour"].to_pylist()) == {"green"}
    assert "100%" in capsys.readouterr().err
    assert batch.cancel()["state"] == "succeeded"


@pytest.fixture
def broken(url, cutting_proxy):
    """A client whose connections break as the proxy says."""
    proxy = cutting_proxy(urlsplit(url).port)
    with Client(proxy.url, key=KEY) as client:
        client.models()
        yield client, proxy


def test_a_stream_that_breaks_goes_on_where_it_broke(broken, client, caplog):
    wanted = client.sample_arrow("claims", 60_000, seed=6, start=100)
    client, proxy = broken
    proxy.break_off(rb"POST .*/sample", 200_000, times=3)
    assert client.sample_arrow("claims", 60_000, seed=6, start=100).equals(wanted)
    assert proxy.cut == 3
    broke = [record.args[0] for record in caplog.records if "broke after" in record.msg]
    assert sorted(set(broke)) == broke
    assert len(broke) == 3


def test_parts_that_come_at_once_are_the_whole(broken, client):
    wanted = client.sample("claims", 50_001, seed=6)
    pd.testing.assert_frame_equal(client.sample("claims", 50_001, seed=6, parallel=4), wanted)
    pd.testing.assert_frame_equal(client.sample("claims", 3, seed=6, parallel=8), wanted[:3])
    client, proxy = broken
    proxy.break_off(rb"POST .*/sample", 100_000, times=2)
    pd.testing.assert_frame_equal(client.sample("claims", 50_001, seed=6, parallel=4), wanted)
    with pytest.raises(ServiceError, match=r"422.*greater than or equal to 1"):
        client.sample("claims", 0)
    with pytest.raises(ConfigError, match="parallel from 1"):
        client.sample("claims", 1, parallel=0)


def test_a_batch_is_waited_for_though_connections_break(broken, caplog):
    client, proxy = broken
    batch = client.start_batch("claims", 900, seed=2)
    proxy.break_off(rb"GET /v1/batches/", 0, times=3)
    assert batch.wait(timeout_s=90)["rows_written"] == 900
    assert proxy.cut == 3
    assert next(r.message for r in caplog.records if "does not answer" in r.message).endswith(
        "asking again in 0.5 s"
    )


def test_what_the_service_refuses_is_an_error_with_its_reason(client, url):
    with pytest.raises(ServiceError, match=r"422.*did you mean 'colour'"):
        client.sample("claims", 5, where={"color": "red"})
    with pytest.raises(ServiceError, match=r"404.*there are: claims"):
        client.sample("clams", 5)
    with Client(url) as stranger, pytest.raises(ServiceError, match="401"):
        stranger.models()
    with Client("http://127.0.0.1:1") as nowhere, pytest.raises(ServiceError, match="see that it"):
        nowhere.models()
