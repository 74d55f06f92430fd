"""The Python client against the real service."""

import pandas as pd
import pytest

from gtcoder.client import Client
from gtcoder.errors import ServiceError
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


def test_what_the_service_refuses_is_an_error_with_its_reason(client, url):
    with pytest.raises(ServiceError, match=r"422.*did you mean 'colour'"):
        client.sample("claims", 5, where={"color": "red"})
    with pytest.raises(ServiceError, match=r"404.*there are: claims"):
        client.sample("clams", 5)
    with Client(url) as stranger, pytest.raises(ServiceError, match="401"):
        stranger.models()
    with Client("http://127.0.0.1:1") as nowhere, pytest.raises(ServiceError, match="see that it"):
        nowhere.models()
