"""Bulk batches: jobs on the cluster that write below one root, and what survives."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ray.job_submission import JobSubmissionClient

from gtcoder.bundle import Bundle
from gtcoder.sampling.sample import Sampler
from gtcoder.table.files import list_files, signed_url
from ray_jobs.jobs import Jobs
from serve.batches.batches import Batches
from serve.http.schemas import BatchWanted
from serve.registry import Model
from serve.settings import Limits

pytestmark = pytest.mark.timeout(200)
START = "/v1/models/claims/batches"
ME = "me"


@pytest.fixture
def ended(http):
    """Waits for a batch to end."""

    def wait(batch, seconds=90):
        deadline = time.monotonic() + seconds
        while batch["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, batch
            time.sleep(0.3)
            batch = http.get(f"/v1/batches/{batch['id']}").json()
        return batch

    return wait


def test_a_batch_from_its_start_to_its_files(http, ended, bundle_path, batch_root):
    wanted = {"rows": 3_000, "seed": 5, "rows_per_file": 1_100, "output": "claims/a"}
    key = {"Idempotency-Key": "first"}
    begun = http.post(START, json=wanted, headers=key)
    assert begun.status_code == 202, begun.text
    repeated = http.post(START, json=wanted, headers=key).json()
    assert repeated["id"] == begun.json()["id"]
    batch = ended(begun.json())
    assert (batch["message"], batch["state"], batch["rows_written"]) == (None, "succeeded", 3_000)
    assert [file["name"] for file in batch["files"]] == [
        f"part-0000{k}-of-00003.parquet" for k in range(3)
    ]
    bundle = Bundle.load(bundle_path)
    rows = pq.read_table(batch_root / "claims" / "a")
    assert rows.equals(Sampler(bundle.model(), bundle.codec).rows(5, 0, 3_000))
    listed = http.get("/v1/batches").json()["batches"]
    assert batch["id"] in [one["id"] for one in listed]

    file = batch["files"][0]
    whole = http.get(file["url"])
    assert whole.content == (batch_root / "claims" / "a" / file["name"]).read_bytes()
    part = http.get(file["url"], headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, whole.content[4:12])
    beyond = http.get(file["url"], headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    clash = http.post(START, json={**wanted, "rows": 7}, headers=key)
    assert clash.status_code == 409
    assert clash.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.slow
def test_a_batch_that_is_cancelled_or_killed_goes_on_when_it_is_repeated(
    http, ended, dashboard_url, wait_until
):
    wanted = {"rows": 4_000_000, "seed": 1, "rows_per_file": 40_000, "where": {"colour": "red"}}
    key = {"Idempotency-Key": "long"}
    batch = http.post(START, json=wanted, headers=key).json()
    assert batch["state"] in ("queued", "running")
    assert http.delete(f"/v1/batches/{batch['id']}").json()["state"] == "cancelled"

    again = http.post(START, json=wanted, headers=key).json()
    assert (again["id"], again["state"]) == (batch["id"], "queued")
    jobs = JobSubmissionClient(dashboard_url)
    (job,) = (
        one
        for one in jobs.list_jobs()
        if one.metadata.get("gtcoder_batch") == batch["id"] and not one.status.is_terminal()
    )
    wait_until(lambda: http.get(f"/v1/batches/{batch['id']}").json()["rows_written"])
    jobs.stop_job(job.submission_id)  # as if someone else had
    failed = ended(again)
    assert (failed["state"], failed["rows_written"] > 0) == ("failed", True)
    assert "send the same request again" in failed["message"]
    assert http.post(START, json=wanted, headers=key).json()["state"] == "queued"
    http.delete(f"/v1/batches/{batch['id']}")


def test_only_so_many_batches_at_once(http):
    wanted = {"rows": 50_000_000, "rows_per_file": 1_000_000}
    begun = [http.post(START, json=wanted).json() for _ in range(2)]
    refused = http.post(START, json=wanted)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    for batch in begun:
        assert http.delete(f"/v1/batches/{batch['id']}").json()["state"] == "cancelled"


def test_rows_of_other_conditions_are_not_taken_for_its_own(http, ended):
    wanted = {"rows": 50, "seed": 1, "output": "claims/c"}
    red = ended(http.post(START, json={**wanted, "where": ["colour=red"]}).json())
    assert red["state"] == "succeeded", red
    green = ended(http.post(START, json={**wanted, "where": ["colour=green"]}).json())
    assert green["state"] == "failed"
    assert "rows of another request (other where)" in green["message"]
    assert "with an Idempotency-Key it could" in green["message"]


def test_two_services_that_start_one_batch_at_once_make_one_job(
    ray_session, dashboard_url, bundle_path, tmp_path
):
    model = Model.load("claims", bundle_path)
    services = [Batches(str(tmp_path), Limits(), Jobs.here()) for _ in range(2)]
    wanted = BatchWanted(rows=4_000_000)
    with ThreadPoolExecutor() as pool:
        started = list(pool.map(lambda one: one.start(ME, model, wanted, "key", seed=3), services))
    assert len({batch.id for batch in started}) == 1
    jobs = JobSubmissionClient(dashboard_url).list_jobs()
    assert [one.metadata.get("gtcoder_batch") for one in jobs].count(started[0].id) == 1
    assert services[0].cancel(ME, started[0].id).state == "cancelled"
    assert services[1].show(ME, started[0].id).state == "cancelled"


def test_a_damaged_record_is_a_problem_that_names_it(http, batch_root):
    batch_id = "0" * 24
    path = batch_root / ".batches" / "active" / "tests" / f"{batch_id}-1.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    answer = http.get(f"/v1/batches/{batch_id}")
    path.unlink()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert str(path) in answer.json()["detail"]


@pytest.mark.parametrize(("rows", "rows_per_file"), [(10**9, 1), (10, 10**8)])
def test_files_are_neither_too_many_nor_too_large(http, rows, rows_per_file):
    answer = http.post(START, json={"rows": rows, "rows_per_file": rows_per_file})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "rows_per_file")


def test_a_batch_may_lie_on_s3(ray_session, s3, bundle_path, wait_until):
    model = Model.load("claims", bundle_path)
    batches = Batches(f"{s3}/batches", Limits(), Jobs.here())
    wanted = BatchWanted(rows=500, rows_per_file=300, output="claims/b")
    batch = batches.start(ME, model, wanted, "on S3", seed=3)
    wait_until(lambda: batches.show(ME, batch.id).state not in ("queued", "running"))
    batch = batches.show(ME, batch.id)
    assert (batch.message, batch.state, batch.rows_written) == (None, "succeeded", 500)
    assert [each.id for each in batches.list(ME, 20, None).batches] == [batch.id]
    uri = batches.file(ME, batch.id, batch.files[1].name)
    assert uri == f"{s3}/batches/claims/b/part-00001-of-00002.parquet"
    answer = httpx.get(signed_url(uri, 60))
    rows = pq.read_table(pa.BufferReader(answer.content))
    assert rows.equals(Sampler(model.bundle.model(), model.bundle.codec).rows(3, 300, 500))


@pytest.mark.parametrize(
    "output",
    [
        "..",
        "a/../../b",
        "/etc",
        "s3://other/bucket",
        "file:///tmp/x",
        "",
        "a//b",
        ".batches",
        "a\\b",
    ],
)
def test_no_output_leaves_the_root(http, batch_root, output):
    before = list_files(batch_root)
    answer = http.post(START, json={"rows": 1, "output": output})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "output")
    assert list_files(batch_root) == before


def test_a_link_out_of_the_root_is_no_way_out(http, batch_root, tmp_path):
    (batch_root / "link").symlink_to(tmp_path)
    answer = http.post(START, json={"rows": 1, "output": "link/x"})
    assert answer.status_code == 422
    (batch_root / "link").unlink()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/batches/nothing",
        "/v1/batches/0123456789abcdef01234567",
        "/v1/batches/..%2f..%2fetc/files/passwd",
        "/v1/batches/0123456789abcdef01234567/files/part-00000-of-00001.parquet",
    ],
)
def test_there_is_no_such_batch_or_file(http, path):
    assert http.get(path).status_code == 404


def test_a_batch_is_its_owners_alone(http, another, ended):
    wanted, key = {"rows": 20, "seed": 3}, {"Idempotency-Key": "one word for two"}
    mine = ended(http.post(START, json=wanted, headers=key).json())
    (file,) = mine["files"]
    for method, path in (
        ("GET", f"/v1/batches/{mine['id']}"),
        ("DELETE", f"/v1/batches/{mine['id']}"),
        ("GET", file["url"]),
    ):
        assert another.request(method, path).status_code == 404
    assert mine["id"] not in [one["id"] for one in another.get("/v1/batches").json()["batches"]]
    theirs = another.post(START, json={**wanted, "rows": 30}, headers=key)
    assert (theirs.status_code, theirs.json()["rows"]) == (202, 30)
    assert theirs.json()["id"] != mine["id"]
    another.delete(f"/v1/batches/{theirs.json()['id']}")


def test_the_list_comes_by_page(http):
    newest = http.get("/v1/batches").json()["batches"]
    seen, after = [], {}
    while after is not None:
        page = http.get("/v1/batches", params={"limit": 1, **after}).json()
        seen += [one["id"] for one in page["batches"]]
        after = {"after": page["next"]} if page["next"] else None
    assert seen[: len(newest)] == [one["id"] for one in newest]
    assert http.get("/v1/batches", params={"after": "x"}).status_code == 422
