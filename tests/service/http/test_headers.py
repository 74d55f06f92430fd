"""What headers and methods ask for beside a body: HEAD, gzip, other origins, a media type."""

import gzip

import httpx
import pytest

KEY = "the-key-of-these-tests"
PAGE = "https://pages.example"  # among the settings of the service

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/models/claims", "/v1/batches"])
def test_head_is_get_without_a_body(http, path):
    whole = {"Accept-Encoding": "identity"}
    asked, got = http.head(path, headers=whole), http.get(path, headers=whole)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert asked.headers["content-length"] == str(len(got.content))


def test_head_finds_what_is_wrong_too(http, url):
    assert http.head("/v1/models/nobody").status_code == 404
    assert http.head("/v1/batches/nobody").status_code == 404
    assert http.head("/v1/batches/nobody/files/x").status_code == 404
    assert http.head("/v1/models/claims/sample").status_code == 405
    assert httpx.head(f"{url}/v1/models").status_code == 401


@pytest.mark.parametrize("media", ["application/json", "text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("rows", [1_000, 30_000])
def test_text_is_compressed_when_asked(http, media, rows):
    def ask(coding):
        headers = {"Accept": media, "Accept-Encoding": coding}
        wanted = {"rows": rows, "seed": 4}
        with http.stream("POST", "/v1/models/claims/sample", json=wanted, headers=headers) as it:
            return it.headers, list(it.iter_raw())

    plain, whole = ask("identity")
    headers, packed = ask("gzip")
    assert "content-encoding" not in plain
    assert headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in headers["vary"]
    assert "Accept-Encoding" in plain["vary"]  # for caches between
    assert gzip.decompress(b"".join(packed)) == b"".join(whole)
    assert len(b"".join(packed)) < len(b"".join(whole)) / 2
    if rows > 1_000:
        assert "content-length" not in headers
        assert len(packed) > 3  # as they come


@pytest.mark.parametrize(
    "accept", ["application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"]
)
def test_what_is_packed_already_is_not_compressed(sample, accept):
    assert "content-encoding" not in sample(rows=1_000, accept=accept).headers


def test_pages_of_named_origins_may_call_and_no_others(http, url):
    path, asks = f"{url}/v1/models/claims/sample", "authorization,content-type"

    def beforehand(origin):
        said = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asks}
        return httpx.options(path, headers={"Origin": origin, **said})

    may = beforehand(PAGE)
    assert (may.status_code, may.headers["access-control-allow-origin"]) == (200, PAGE)
    assert {"authorization", "content-type"} <= set(
        may.headers["access-control-allow-headers"].lower().split(", ")
    )
    assert "access-control-allow-origin" not in beforehand("https://other.example").headers
    answer = http.post(path, json={"rows": 1}, headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "GTCoder-Seed" in answer.headers["access-control-expose-headers"]
    refused = httpx.post(path, json={"rows": 1}, headers={"Origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)


@pytest.mark.parametrize("said", [{}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_a_body_that_is_not_said_to_be_json_is_told_so(http, said):
    answer = http.post("/v1/models/claims/sample", content=b'{"rows": 1}', headers=said)
    assert (answer.status_code, answer.json()["title"]) == (415, "Unsupported media type")
    assert "`Content-Type: application/json`" in answer.json()["detail"]
