"""A service whose machine has another Ray, which holds the port that Ray wants jobs at."""

import subprocess
import sys

import httpx
import pytest

ANOTHER = """
import ray
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=256 << 20)
print("there", flush=True)
input()
"""


@pytest.fixture
def another_ray():
    started = subprocess.Popen(
        [sys.executable, "-c", ANOTHER], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True
    )
    assert started.stdout.readline() == "there\n"
    yield
    started.communicate("\n")


@pytest.mark.slow
def test_batches_run(another_ray, command, bundle_path, free_port, tmp_path, wait_until):
    port = free_port()
    options = [f"--name=claims={bundle_path}", f"--port={port}", f"--batch-root={tmp_path}"]
    service = command("serve", *options)
    assert any(line.startswith("Ctrl-C") for line in service.stdout)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        begun = http.post("/v1/models/claims/batches", json={"rows": 100})
        assert begun.status_code == 202, begun.text

        def state():
            return http.get(f"/v1/batches/{begun.json()['id']}").json()["state"]

        wait_until(lambda: state() not in ("queued", "running"))
        assert state() == "succeeded"
    service.terminate()
    assert service.wait(60) == 0
