"""Replicas that come with load and go without it, in a Ray and a Serve of their own."""

import json
import re
import threading
from collections import Counter

import httpx
import pytest

PROGRAM = """
import json, sys, time
import ray
from ray import serve
from serve.app import build
from serve.settings import Settings

port, metrics_port, settings = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
ray.init("local", num_cpus=4, include_dashboard=False, object_store_memory=256 << 20,
         _metrics_export_port=metrics_port, log_to_driver=False, logging_level="ERROR")
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(build(Settings.model_validate(settings)), name="gtcoder")
while True:
    replicas = serve.status().applications["gtcoder"].deployments["Replica"].replica_states
    print(json.dumps(replicas), flush=True)
    time.sleep(0.5)
"""


class Service:
    """A service that scales, and what is seen of it."""

    def __init__(self, process, url, metrics_url):
        self._process, self.url, self._metrics_url = process, url, metrics_url
        self.running = [0]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        for line in self._process.stdout:
            self.running.append(json.loads(line).get("RUNNING", 0))

    def answered(self):
        """Requests that each replica has answered, by its own metrics."""
        text = httpx.get(self._metrics_url, timeout=20).text
        found = re.findall(r'^ray_gtcoder_requests_total{.*replica="([^"]+)".*} (\S+)$', text, re.M)
        counted = Counter()
        for replica, number in found:
            counted[replica] += float(number)
        return counted


@pytest.fixture
def service(command, free_port, bundle_path):
    port, metrics_port = free_port(), free_port()
    settings = {
        "models": {"claims": bundle_path},
        "max_replicas": 3,
        "replica_cpus": 0.5,
        "target_requests": 2,
        "upscale_delay_s": 1,
        "downscale_delay_s": 2,
    }
    process = command(port, metrics_port, json.dumps(settings), program=PROGRAM)
    yield Service(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics")
    process.terminate()
    process.wait(60)


class Clients:
    """Clients that ask one request after another, each over its own connection; and answers."""

    def __init__(self, service, number, pause_s=0.0):
        self.statuses = Counter()
        self._path, self._pause_s = f"{service.url}/v1/models/claims/sample", pause_s
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]

    def _ask(self):
        with httpx.Client(timeout=60) as client:
            while not self._ended.wait(self._pause_s):
                self.statuses[client.post(self._path, json={"rows": 1_000}).status_code] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_replicas_come_with_load_and_go_without_it(service, wait_until):
    wait_until(lambda: service.running[-1] == 1)
    with Clients(service, 1, pause_s=0.2) as few:  # throughout, also of replicas about to go
        with Clients(service, 12) as many:
            wait_until(lambda: service.running[-1] == 3)
            before = service.answered()
            wait_until(lambda: len(+(service.answered() - before)) == 3)
        wait_until(lambda: service.running[-1] == 1, 120)
        seen = few.statuses[200]
        wait_until(lambda: few.statuses[200] > seen + 10)
    assert max(service.running) == 3
    for clients in (few, many):
        assert set(clients.statuses) == {200}, clients.statuses
