"""The page's files, reports, and links that open one thing without a key."""

import re
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.timeout(120)

REPORT = "/v1/models/claims/report"


@pytest.fixture
def report(bundle_path):
    """A report beside the bundle, of these bytes."""
    folder = Path(f"{bundle_path}.report")
    folder.mkdir()
    page = folder / "report.html"
    page.write_bytes(b"<p>Good</p>")
    yield page.read_bytes()
    page.unlink()
    folder.rmdir()


@pytest.mark.parametrize("path", ["/", "/docs", "/page/main.js", "/page/swagger-ui.css"])
def test_the_page_needs_no_key_and_is_sent_once(url, path):
    answer = httpx.get(url + path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    again = httpx.get(url + path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = httpx.head(url + path)
    assert (head.status_code, head.content, head.headers["etag"]) == (
        200,
        b"",
        answer.headers["etag"],
    )


def test_scripts_and_styles_of_the_page_are_its_own(url):
    policy = httpx.get(url).headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/..%2fapi.py", "/page/%2fetc%2fpasswd"])
def test_there_are_no_other_files(url, path):
    assert httpx.get(url + path).status_code == 404


def test_nothing_on_the_page_comes_from_elsewhere():
    for each in (files("serve") / "page").iterdir():
        text = each.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text), each.name


def test_a_report_is_found_and_may_run_nothing(http, report):
    known = http.get("/v1/models/claims").json()
    assert known["report"]["url"] == REPORT
    assert known["report"]["written"] >= known["written"][:10]
    answer = http.get(REPORT)
    assert (answer.content, answer.headers["content-type"]) == (report, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("script" in each for each in policy)


def test_without_a_report_it_is_said_how_to_get_one(http, bundle_path):
    assert http.get("/v1/models/claims").json()["report"] is None
    answer = http.get(REPORT)
    assert (answer.status_code, answer.json()["title"]) == (404, "No report")
    assert f"`gtcoder evaluate` writes one to {bundle_path}.report" in answer.json()["detail"]


def link(client, path=REPORT):
    answer = client.post("/v1/links", json={"path": path})
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


def test_a_link_opens_its_path_and_no_other(http, url, report):
    signed = link(http)
    assert httpx.get(url + REPORT).status_code == 401
    assert httpx.get(url + signed).content == report
    _, _, query = signed.partition("?")
    assert httpx.get(f"{url}/v1/models/other/report?{query}").status_code == 401
    assert httpx.get(f"{url}/v1/models/claims?{query}").status_code == 401
    assert httpx.post(f"{url}/v1/models/claims/sample?{query}", json={"rows": 1}).status_code == 401


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (r"until=\d+", "until=9999999999"),
        (r"until=\d+", "until=1"),
        (r"until=\d+", "until=x"),
        (r"signature=\w+", "signature="),
        (r"signature=\w+", "signature=%ff"),
    ],
)
def test_a_link_that_was_altered_opens_nothing(http, url, report, part, other):
    assert httpx.get(url + re.sub(part, other, link(http))).status_code == 401


def test_a_link_shows_what_its_owner_may_see(another, url):
    path = f"/v1/batches/{'0' * 24}/files/part-00000-of-00001.parquet"
    assert httpx.get(url + link(another, path)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/claims/sample", "/v1/batches", REPORT + "/x"]
)
def test_links_are_to_reports_and_files_only(http, path):
    answer = http.post("/v1/links", json={"path": path})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "path")
