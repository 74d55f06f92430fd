"""The client of the job server: jobs followed, listed, stopped; and what is said when not."""

import http.server
import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from ray.job_submission import JobSubmissionClient

from gtcoder.errors import ConfigError
from ray_jobs.jobs import Job, Jobs, dashboard
from ray_jobs.owner import OWNER

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def address_of_its_own(monkeypatch):
    """`submit` tells Ray its address by a variable, which must not reach other tests."""
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")


def test_jobs_are_followed_to_their_end(dashboard_url, run, tmp_path):
    there = ["--address", dashboard_url]
    bad = ["generate", "/nowhere", "--rows", 5, "--out", tmp_path / "of mine"]
    _, said, _ = run("submit", *bad, *there)
    failing = re.match(r"submitted (generate-[0-9a-f]{8})\n", said)[1]
    code, answer, said = run("submit", "benchmark", "codec", "--rows", 1_000, *there, "--follow")
    assert (code, said) == (0, "")
    assert re.search(r"1,000 rows  sketch .* peak memory \d+ MB\n", answer)
    code, answer, said = run("jobs", failing, *there)
    assert (code, said) == (1, "")
    assert "error: no bundle: /nowhere: no such file, folder or bucket" in answer
    lines = run("jobs", *there)[1].splitlines()
    assert [line.split()[1] for line in lines] == ["FAILED", "SUCCEEDED"]
    assert lines[0].endswith(f"generate /nowhere --rows 5 --out '{tmp_path / 'of mine'}'")


def test_leaving_a_job_does_not_stop_it(
    dashboard_url, table_folder, tmp_path, command, run, wait_until
):
    line = ["submit", "train", table_folder, "--out", tmp_path / "b", "--epochs", "100000"]
    process = command(*line, "--address", dashboard_url, "--follow")
    answer = process.stdout.readline()
    job = answer.split()[1]
    owner = tmp_path / "b.run" / OWNER
    wait_until(owner.exists)
    assert json.loads(owner.read_text())["job"] == job
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert f"warning: {table_folder} is here; the job looks for it on the cluster" in said
    assert f"{job} goes on; gtcoder jobs {job} prints its log, gtcoder stop {job} ends it" in said

    code, _, said = run(*line, "--address", dashboard_url)
    assert code == 1
    assert f"job {job} writes the same output: train {table_folder}" in said
    assert f"gtcoder jobs {job} follows it, gtcoder stop {job} ends it" in said

    def state():
        return jobs.find(job).status

    jobs = Jobs.at(dashboard_url)
    assert state() == "RUNNING"
    assert jobs.stop(job)
    wait_until(lambda: state() == "STOPPED")
    assert not jobs.stop(job)
    assert not owner.exists()
    stands = json.loads(run("jobs", job, "--json", "--address", dashboard_url)[1])
    assert (stands["id"], stands["status"]) == (job, "STOPPED")
    assert 0 < stands["seconds"] == pytest.approx(stands["ended_s"] - stands["started_s"], abs=0.1)


def test_a_job_has_what_is_forwarded_and_goes_again_under_another_name(
    dashboard_url, bundle_path, run, tmp_path, monkeypatch
):
    monkeypatch.setenv("OF_HERE", "here")
    (tmp_path / "env.yaml").write_text("env_vars: {OF_FILE: file, SAID: unsaid}")
    line = ["submit", "explain", bundle_path, "--out", tmp_path / "e", "--address", dashboard_url]
    line += ["--env", "SAID=a=b", "--env", "OF_HERE", "--runtime-env", tmp_path / "env.yaml"]
    code, answer, said = run(*line, "--follow")
    assert code == 0, said
    job = answer.split()[1]
    assert (tmp_path / "e" / "contributions.json").exists()
    details = JobSubmissionClient(dashboard_url).get_job_info(job)
    assert details.runtime_env["env_vars"] == {"OF_FILE": "file", "SAID": "a=b", "OF_HERE": "here"}
    assert run(*line)[1].startswith(f"submitted {job}-2\n")
    Jobs.at(dashboard_url).end(f"{job}-2")
    told = json.loads(run("jobs", "--json", "--address", dashboard_url)[1])
    assert {each["id"]: each["status"] for each in told}[job] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.6, "8 s"), (725, "12:05"), (10_800, "3:00:00"), (-1, "0 s")]
)
def test_how_long_a_job_took(seconds, said):
    job = Job(id="", status="", command="", message="", started_s=50.0, ended_s=50.0 + seconds)
    assert job.lasted == said


def test_no_such_job(dashboard_url):
    with pytest.raises(ConfigError, match=r"^no job train-1 on http://.*gtcoder jobs"):
        Jobs.at(dashboard_url).stop("train-1")


def test_nobody_at_the_address():
    with pytest.raises(ConfigError, match=r"--address http://127.0.0.1:1: no Ray cluster answers"):
        Jobs.at("http://127.0.0.1:1").list()


def test_somebody_else_at_the_address():
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(ConfigError, match=f"--address {url}: no Ray dashboard answers there"):
        Jobs.at(url).list()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("address", ["head:8265", "auto", "ray://head:10001", "http://"])
def test_an_address_that_is_no_dashboard(address):
    with pytest.raises(ConfigError, match=f"--address {address}: expected the address of the"):
        dashboard(address)


def test_the_address_comes_from_where_ray_looks_too(monkeypatch):
    assert dashboard(None) == "http://127.0.0.1:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://head:8265/")
    assert dashboard(None) == "http://head:8265"
    assert dashboard("https://other") == "https://other"


TOKEN_CLUSTER = """
import ray
context = ray.init(address="local", num_cpus=1, include_dashboard=True, dashboard_port=0,
                   dashboard_host="127.0.0.1", object_store_memory=128 << 20)
print(context.dashboard_url, flush=True)
input()
"""


@pytest.mark.slow
def test_a_cluster_may_want_a_token(command, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-the-cluster")
    cluster = subprocess.Popen(
        [sys.executable, "-c", TOKEN_CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url = f"http://{cluster.stdout.readline().strip()}"
    monkeypatch.delenv("RAY_AUTH_MODE")
    welcome = command("jobs", "--address", url)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-another")
    refused = command("jobs", "--address", url)
    answer, said = welcome.communicate()
    assert (welcome.returncode, answer) == (0, ""), said
    _, said = refused.communicate()
    assert refused.returncode == 1
    assert said.startswith(f"error: --address {url}: the cluster does not accept the token")
    assert said.count("\n") == 1
    cluster.communicate("\n")
