"""Every call over real HTTP: what it gives, in every format, and what it refuses."""

import io
import json
import socket
import threading
from itertools import pairwise

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import Sampler
from gtcoder.synthesizer import Synthesizer
from gtcoder.where.constraint import constraints

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def sampler(bundle_path):
    bundle = Bundle.load(bundle_path)
    return Sampler(bundle.model(), bundle.codec)


@pytest.fixture(scope="module")
def library(bundle_path):
    return Synthesizer.load(bundle_path)


@pytest.fixture(scope="module")
def expected(sampler):
    """The rows that a seed gives anywhere."""
    return lambda rows, seed: sampler.rows(seed, 0, rows)


def read(answer):
    assert answer.status_code == 200, answer.text
    return pa.ipc.open_stream(answer.content).read_all()


def test_it_is_alive_without_a_key(url):
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok", "models": 2}


def test_the_models_and_their_columns(http, bundle_path):
    listed = http.get("/v1/models").json()
    assert [model["name"] for model in listed["models"]] == ["claims", "other"]
    assert (listed["most_rows"], listed["most_given"]) == (200_000, 50)
    known = http.get("/v1/models/claims").json()
    assert known["checksum"] == Bundle.load(bundle_path).checksum
    assert known["rows_trained_on"] == 600
    colour, size, count = known["columns"]
    assert (colour["kind"], set(colour["categories"])) == ("categorical", {"red", "green", "blue"})
    assert colour["conditions"]
    assert size["low"] < 8 < 12 < size["high"]
    assert (size["missing"], count["missing"]) == (True, False)


@pytest.mark.parametrize("rows", [1, 300, 20_000])
def test_every_format_gives_the_rows_of_the_library(sample, expected, rows):
    wanted = expected(rows, 3)
    assert read(sample(rows=rows, seed=3)).equals(wanted)
    parquet = sample(rows=rows, seed=3, accept="application/vnd.apache.parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).equals(wanted)
    frame = wanted.to_pandas().astype({"colour": "str"})
    answers = {
        "application/json": lambda text: pd.read_json(io.BytesIO(text)),
        "application/x-ndjson": lambda text: pd.read_json(io.BytesIO(text), lines=True),
        "text/csv": lambda text: pd.read_csv(io.BytesIO(text)),
    }
    for media, reader in answers.items():
        answer = sample(rows=rows, seed=3, accept=media)
        assert answer.headers["content-type"].startswith(media)
        pd.testing.assert_frame_equal(reader(answer.content), frame, check_dtype=False, rtol=1e-9)


def test_conditions_columns_and_seeds(sample, expected, sampler):
    answer = sample(rows=500, where={"colour": ["red"], "count": {"from": 3}}, seed=1)
    rows = read(answer)
    assert set(rows["colour"].to_pylist()) == {"red"}
    assert min(rows["count"].to_pylist()) >= 3
    again = read(sample(rows=500, where=["count>=3", "colour=red"], seed=1))
    assert again.equals(rows)
    chosen = read(sample(rows=50, seed=4, columns=["count", "colour"]))
    assert chosen.equals(expected(50, 4).select(["count", "colour"]))
    first, second = (sample(rows=50) for _ in range(2))
    assert first.content != second.content
    seed = int(first.headers["GTCoder-Seed"])
    assert read(first).equals(expected(50, seed))


@pytest.mark.parametrize("media", ["application/vnd.apache.arrow.stream", "text/csv"])
def test_parts_are_the_whole(sample, expected, media):
    """Whether they begin or end in a block, beside one, or just before its end."""
    edges = [0, 1, 4_095, 4_096, 12_287, 20_000, 50_000, 50_003]
    parts = [
        sample(rows=stop - start, seed=8, offset=start, accept=media)
        for start, stop in pairwise(edges)
    ]
    whole = sample(rows=edges[-1], seed=8, accept=media)
    if media == "text/csv":
        header = whole.content.partition(b"\n")[0] + b"\n"
        lines = (part.content.removeprefix(header) for part in parts)
        assert header + b"".join(lines) == whole.content
    else:
        assert pa.concat_tables(map(read, parts)).equals(read(whole))


def test_an_offset_costs_nothing_of_what_comes_before(sample, sampler):
    far = 2**53
    assert read(sample(rows=5, seed=8, offset=far)).equals(sampler.rows(8, far, far + 5))
    middle = sample(rows=120_000, seed=8, offset=4_095, accept="text/csv")  # 1 row of a block
    assert middle.content.count(b"\n") == 120_001


def test_what_is_asked_together_is_what_is_asked_alone(sample, expected, sampler):
    """Sizes, seeds, conditions and models, all at once."""
    wheres = [None, ["colour=blue"], {"count": {"to": 2}}, ["size>=12", "colour=blue"]]
    jobs = [(1 + 97 * k % 900, k, wheres[k % 4]) for k in range(16)]
    answers = {}

    def ask(rows, seed, where):
        answers[seed] = sample(rows=rows, seed=seed, where=where)

    threads = [threading.Thread(target=ask, args=job) for job in jobs]
    threads += [threading.Thread(target=sample, args=("other",), kwargs={"rows": 200})] * 1
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows, seed, where in jobs:
        got = read(answers[seed])
        plan = sampler.drawer.plan(constraints(sampler.codec, where_of(where)))
        from gtcoder.sampling.sample import Range

        assert got.equals(sampler.table([Range(plan, seed, 0, rows)])), (rows, seed, where)


def where_of(where):
    from gtcoder.where.written import from_json

    return from_json(where or [])


def test_two_models_take_turns(sample):
    for _ in range(3):
        assert read(sample("claims", rows=10)).column_names == ["colour", "size", "count"]
        assert read(sample("other", rows=10)).column_names == ["colour", "size"]


def test_the_first_bytes_come_before_the_last_row(http):
    path, body = "/v1/models/claims/sample", {"rows": 100_000, "columns": ["count"]}
    plain = {"Accept": "text/csv", "Accept-Encoding": "identity"}
    with http.stream("POST", path, json=body, headers=plain) as answer:
        chunks = list(answer.iter_raw())
    assert "content-length" not in answer.headers
    assert len(chunks) > 3
    assert b"".join(chunks).count(b"\n") == 100_001


def test_an_explanation_of_the_model_and_of_rows(http, bundle_path):
    path = "/v1/models/claims/explain"
    model = http.post(path, json={}).json()
    bundle = Bundle.load(bundle_path)
    assert model["contributions"] == bundle.explanation["contributions"]
    assert np.array(model["matrix"]).shape == (3, 3)
    told = model["dependence"]
    assert np.array(told["nats"]).shape == (len(told["columns"]),) * 2
    assert set(told["columns"]) <= set(model["columns"])
    rows = [{"colour": "red", "size": 9.5, "count": 3}, {"colour": "blue"}]
    given = http.post(path, json={"rows": rows}).json()
    assert given["rows"] == 2
    each = np.array(given["each"])
    np.testing.assert_allclose(each.sum(1), 1, atol=1e-4)
    np.testing.assert_allclose(each.mean(0), list(given["contributions"].values()), atol=1e-4)
    picture = http.post(path, json={}, headers={"Accept": "image/png"})
    assert picture.content.startswith(b"\x89PNG")


HOLES = [{"colour": "red", "size": None}, {"size": 9.123456789012345}, {"colour": "blue"}]


def test_rows_are_completed_as_the_library_does(http, library):
    path = "/v1/models/claims/complete"
    answer = http.post(path, json={"rows": HOLES, "seed": 7, "n": 2})
    told = answer.json()
    table = pa.table({"colour": ["red", None, "blue"], "size": [None, 9.123456789012345, None]})
    drawn = library.complete(table, seed=7, n=2)
    expected = json.loads(drawn.to_json(orient="records", double_precision=15))
    assert [row["colour"] for row in told["rows"]] == list(drawn["colour"])
    assert [row["count"] for row in told["rows"]] == list(drawn["count"])
    sizes = [row["size"] for row in told["rows"]]
    np.testing.assert_allclose(sizes, [row["size"] for row in expected], rtol=1e-12)
    assert sizes[1] == sizes[4] == 9.123456789012345
    assert (told["seed"], told["filled"], told["broken"]) == (7, 12, 0)
    assert answer.headers["GTCoder-Filled"] == "12"
    accept = {"Accept": "application/vnd.apache.arrow.stream"}
    arrow = http.post(path, json={"rows": HOLES, "seed": 7, "n": 2}, headers=accept)
    assert read(arrow).to_pandas().equals(drawn.reset_index(drop=True))
    assert arrow.headers["GTCoder-Broken"] == "0"
    csv = http.post(path, json={"rows": HOLES, "seed": 7, "n": 2}, headers={"Accept": "text/csv"})
    text = pa.csv.read_csv(pa.BufferReader(csv.content)).to_pandas()
    assert list(text["colour"]) == list(drawn["colour"])
    assert list(text["size"]) == list(drawn["size"])
    assert csv.headers["GTCoder-Filled"] == "12"


def test_columns_are_drawn_whole_and_a_seed_is_found(http, library):
    path, rows = "/v1/models/claims/complete", [{"colour": "red", "size": 9.5, "count": 3}] * 50
    told = http.post(path, json={"rows": rows, "columns": ["colour"]}).json()
    assert {row["colour"] for row in told["rows"]} > {"red"}
    assert {row["size"] for row in told["rows"]} == {9.5}
    drawn = library.complete(pd.DataFrame(rows), columns=["colour"], seed=told["seed"])
    assert list(drawn["colour"]) == [row["colour"] for row in told["rows"]]
    full = http.post(path, json={"rows": rows}).json()
    assert (full["rows"], full["filled"]) == (rows, 0)
    assert http.post(path, json={"rows": rows}, headers={"Accept": "image/png"}).status_code == 406


def test_rows_are_scored_as_the_library_does(http, library):
    path, rows = "/v1/models/claims/score", [{"colour": "red", "size": 9.5, "count": 3}, {}]
    plain = http.post(path, json={"rows": rows}).json()["rows"]
    told = http.post(path, json={"rows": rows, "columns": True}).json()["rows"]
    frame = pd.DataFrame({"colour": ["red", None], "size": [9.5, None], "count": [3, None]})
    expected = library.score(frame, columns=True)
    for name in ("log_likelihood", "standard_error", "excess"):
        np.testing.assert_allclose([row[name] for row in plain], expected[name], rtol=1e-4)
    assert [row["most_surprising"] for row in plain] == list(expected["most_surprising"])
    assert [{k: v for k, v in row.items() if k != "surprises"} for row in told] == plain
    for name in ("colour", "size", "count"):
        surprises = [row["surprises"][name] for row in told]
        np.testing.assert_allclose(surprises, expected[f"surprise_{name}"], rtol=1e-4)


def test_a_model_of_the_papers_preset_has_likelihoods_alone(http):
    rows = [{"colour": "red", "size": 9.5}]
    (told,) = http.post("/v1/models/other/score", json={"rows": rows}).json()["rows"]
    assert isinstance(told["log_likelihood"], float)
    assert (told["most_surprising"], told["excess"]) == (None, None)
    assert not http.get("/v1/models/other").json()["completes"]
    assert http.get("/v1/models/claims").json()["completes"]
    for call, more in (("score", {"columns": True}), ("complete", {})):
        answer = http.post(f"/v1/models/other/{call}", json={"rows": rows, **more})
        assert answer.status_code == 422
        assert "default preset" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("call", "body", "status", "field", "words"),
    [
        ("models/nobody/sample", {"rows": 1}, 404, None, "there are: claims, other"),
        ("models/claims/sample", {}, 422, "rows", "required"),
        ("models/claims/sample", {"rows": 0}, 422, "rows", "greater than or equal to 1"),
        ("models/claims/sample", {"rows": 200_001}, 422, "rows", "at most 200,000"),
        ("models/claims/sample", {"rows": "many"}, 422, "rows", "integer"),
        ("models/claims/sample", {"rows": 1, "sede": 1}, 422, "sede", "Extra"),
        ("models/claims/sample", {"rows": 1, "offset": 1}, 422, "offset", "beside the seed"),
        ("models/claims/sample", {"rows": 1, "seed": 1, "offset": 2**54}, 422, "offset", "less"),
        ("models/claims/sample", {"rows": 1, "seed": -1}, 422, "seed", "greater"),
        ("models/claims/sample", {"rows": 1, "columns": ["colr"]}, 422, "columns", "'colr'"),
        ("models/claims/sample", {"rows": 1, "where": ["colr=red"]}, 422, "where", "did you mean"),
        ("models/claims/sample", {"rows": 1, "where": {"colour": "pink"}}, 422, "where", "green"),
        ("models/claims/sample", {"rows": 1, "where": {"size": {"from": 1e6}}}, 422, "where", ".."),
        ("models/claims/sample", {"rows": 1, "where": {"size": {"x": 1}}}, 422, "where", '"from"'),
        ("models/claims/explain", {"rows": []}, 422, "rows", "at least 1"),
        ("models/claims/explain", {"rows": [{"hue": 1}]}, 422, "rows", "no column 'hue'"),
        ("models/claims/explain", {"rows": [{"size": "x"}]}, 422, "rows", "'size'"),
        ("models/claims/explain", {"rows": [{}] * 51}, 422, "rows", "at most 50"),
        ("models/claims/complete", {"rows": []}, 422, "rows", "at least 1"),
        ("models/claims/complete", {"rows": [{"hue": 1}]}, 422, "rows", "no column 'hue'"),
        ("models/claims/complete", {"rows": [{}, {"size": "x"}]}, 422, "rows", "'size'"),
        ("models/claims/complete", {"rows": [{}] * 51}, 422, "rows", "at most 50"),
        ("models/claims/complete", {"rows": [{}], "columns": ["hue"]}, 422, "columns", "'hue'"),
        ("models/claims/complete", {"rows": [{}], "n": 21}, 422, "n", "equal to 20"),
        ("models/claims/complete", {"rows": [{}], "seed": -1}, 422, "seed", "greater"),
        ("models/nobody/complete", {"rows": [{}]}, 404, None, "there are: claims, other"),
        ("models/claims/score", {"rows": [{"size": 1}]}, 422, "rows", "no row has the column"),
        ("models/claims/score", {"rows": [{"count": "x"}]}, 422, "rows", "'count'"),
        ("models/claims/score", {"rows": [{}] * 51}, 422, "rows", "at most 50"),
        ("models/claims/batches", {"rows": 1, "output": "../x"}, 422, "output", "below"),
    ],
)
def test_what_cannot_be_is_a_problem(http, call, body, status, field, words):
    answer = http.post(f"/v1/{call}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert words in problem["detail"]
    if field:
        assert field in [error["field"] for error in problem["errors"]]


def test_other_things_that_cannot_be(http, sample):
    assert sample(rows=1, accept="image/png").status_code == 406
    assert http.get("/v1/models/..%2f..").status_code in (404, 422)
    assert http.get("/nowhere").json()["status"] == 404
    assert http.get("/v1/models/claims/sample").status_code == 405
    large = http.post("/v1/models/claims/sample", content=b" " * (1 << 17))
    assert (large.status_code, large.json()["title"]) == (413, "Body is too large")
    odd = http.post(
        "/v1/models/claims/sample",
        content=b"\xff{",
        headers={"Content-Type": "application/json"},
    )
    assert odd.status_code == 400
    costly = sample(rows=200_000, accept="application/json")
    assert costly.status_code == 422
    assert "about" in costly.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/models/claims/sample", 401), ("/nowhere", 401), ("/healthz", 405)]
)
def test_a_body_is_not_waited_for_without_the_key(url, path, status):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(1_000).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_key_nothing_is_said(url, header):
    calls = [("GET", "/v1/models"), ("POST", "/v1/models/claims/sample"), ("GET", "/v1/batches")]
    for method, path in calls:
        answer = httpx.request(method, url + path, headers=header, json={"rows": 1})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "claims" not in answer.text
