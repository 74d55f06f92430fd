"""One service over real HTTP for all tests of it, with two models and a root for batches."""

import subprocess
import threading
import time
from collections import Counter

import httpx
import pytest

from gtcoder.synthesizer import Synthesizer

KEY = "the-key-of-these-tests"
ANOTHERS = "the-key-of-somebody-else"


@pytest.fixture(scope="session")
def other_bundle_path(tmp_path_factory, make_rows):
    """A model of the paper's preset, without one of the columns."""
    path = tmp_path_factory.mktemp("bundle") / "other"
    Synthesizer(preset="paper", epochs=1, exclude=["count"]).fit(make_rows(300, 5)).save(path)
    return str(path)


@pytest.fixture(scope="session")
def batch_root(tmp_path_factory):
    return tmp_path_factory.mktemp("batches")


@pytest.fixture(scope="package")
def deploy(dashboard_url, bundle_path, other_bundle_path, batch_root, tmp_path_factory, free_port):
    """Deploys as `serve deploy` does, with a small limit of everything; gives the port."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"tests {KEY}\n{ANOTHERS}\n")
    port = free_port()
    arguments = {
        "api_key_file": str(keys),
        "batch_root": str(batch_root),
        "models_per_replica": 1,
        "check_s": 0.5,
        "cors_origins": ["https://pages.example"],
        "replica_cpus": 0.1,
        "min_replicas": 2,
        "max_replicas": 2,
        "limits": {
            "rows": 200_000,
            "body_bytes": 1 << 16,
            "queue": 24,
            "explained_rows": 50,
            "batches": 2,
            "response_bytes": 9 << 20,
            "in_flight_bytes": 18 << 20,  # two answers of 8 MB, never three
        },
    }

    def start(**more):
        from ray import serve
        from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

        models = {"models": {"claims": bundle_path, "other": other_bundle_path, **more}}
        application = {
            "name": "gtcoder",
            "route_prefix": "/",
            "import_path": "serve.app:build",
            "args": arguments,
            "deployments": [{"name": "Replica", "user_config": models}],
        }
        options = {"host": "127.0.0.1", "port": port}
        ServeSubmissionClient(dashboard_url).deploy_applications(
            {"http_options": options, "applications": [application]}
        )
        deadline = time.monotonic() + 90
        while True:
            found = serve.status().applications.get("gtcoder")
            if found and found.status == "RUNNING":
                return port
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    yield start
    from ray import serve

    serve.shutdown()


@pytest.fixture(scope="package")
def url(deploy):
    """Where the service answers."""
    return f"http://127.0.0.1:{deploy()}"


@pytest.fixture(scope="package")
def http(url):
    """A client with the key."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def another(url):
    """A client with another's key."""
    headers = {"Authorization": f"Bearer {ANOTHERS}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def sample(http):
    def ask(model="claims", accept="application/vnd.apache.arrow.stream", **wanted):
        path = f"/v1/models/{model}/sample"
        return http.post(path, json=wanted, headers={"Accept": accept})

    return ask


class Repeated:
    """Does something over and over in threads, and counts what came of it."""

    def __init__(self, what, threads=4):
        self.gave, self._what, self._ended = Counter(), what, threading.Event()
        self._threads = [threading.Thread(target=self._do) for _ in range(threads)]

    def _do(self):
        while not self._ended.is_set():
            self.gave[self._what()] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="session")
def repeated():
    """Requests, or whatever else, again and again while a block runs: their counts are `gave`."""
    return Repeated


@pytest.fixture(scope="session")
def replicas_below():
    """Finds the replicas among the processes below another, without asking Ray."""

    def find(ancestor):
        listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True)
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
        parents = {int(row[0]): int(row[1]) for row in rows}

        def below(one):
            return one == ancestor or (one in parents and below(parents[one]))

        name = "ServeReplica:gtcoder:Replica"
        return {int(row[0]) for row in rows if name in row[-1] and below(int(row[0]))}

    return find
