"""One service over real HTTP for all tests of it, with two models and a root for batches."""

import socket

import httpx
import pytest

from gtcoder.synthesizer import Synthesizer

KEY = "the-key-of-these-tests"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def other_bundle_path(tmp_path_factory, make_rows):
    path = tmp_path_factory.mktemp("bundle") / "other"
    Synthesizer(epochs=1, exclude=["count"]).fit(make_rows(300, 5)).save(path)
    return str(path)


@pytest.fixture(scope="session")
def batch_root(tmp_path_factory):
    return tmp_path_factory.mktemp("batches")


@pytest.fixture(scope="session")
def url(ray_session, bundle_path, other_bundle_path, batch_root, tmp_path_factory):
    """Where the service answers, with a small limit of everything."""
    from ray import serve

    from serve.app import build
    from serve.settings import Settings

    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    settings = Settings.model_validate(
        {
            "models": {"claims": bundle_path, "other": other_bundle_path},
            "api_key_file": str(keys),
            "batch_root": str(batch_root),
            "models_per_replica": 1,
            "check_s": 0.5,
            "replica_cpus": 0.1,
            "min_replicas": 2,
            "max_replicas": 2,
            "limits": {
                "rows": 100_000,
                "body_bytes": 1 << 16,
                "queue": 24,
                "explained_rows": 50,
                "batches": 2,
                "response_bytes": 4 << 20,
                "in_flight_bytes": 16 << 20,
            },
        }
    )
    serve.run(build(settings), name="gtcoder", route_prefix="/")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.fixture(scope="session")
def http(url):
    """A client with the key."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def sample(http):
    def ask(model="claims", accept="application/vnd.apache.arrow.stream", **wanted):
        path = f"/v1/models/{model}/sample"
        return http.post(path, json=wanted, headers={"Accept": accept})

    return ask
