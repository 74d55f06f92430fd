"""One Ray for all tests of jobs and service, a partitioned table, a bundle, and an S3 server."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

# Before Ray is imported, which reads them once.
os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "gtcoder-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "gtcoder-secret",
        "OMP_NUM_THREADS": "1",
        # Submitted jobs are started by the name of `python`.
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "150",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "60",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
os.environ.pop("RAY_ADDRESS", None)
with socket.socket() as _free:
    _free.bind(("127.0.0.1", 0))
    _S3_PORT = _free.getsockname()[1]
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{_S3_PORT}"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.progress import Reporter
from gtcoder.synthesizer import Synthesizer
from ray_jobs.cluster.connection import own_agent_port


def pytest_collection_modifyitems(config, items):
    """Ray's and its libraries' own warnings are not ours to mend."""
    for item in items:
        if {"jobs", "service"} & set(item.path.relative_to(config.rootpath).parts):
            for kind in ("DeprecationWarning", "ResourceWarning", "FutureWarning", "UserWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
            )


@pytest.fixture(scope="session")
def free_port():
    """Finds a port of the loopback interface that nothing listens on."""

    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@pytest.fixture(scope="session")
def ray_session():
    import ray

    with own_agent_port():
        context = ray.init(
            address="local",
            num_cpus=4,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=0,
            object_store_memory=256 << 20,
            log_to_driver=False,
        )
    yield context
    ray.shutdown()


@pytest.fixture(scope="session")
def dashboard_url(ray_session):
    """Where jobs are submitted to and the service is configured."""
    return f"http://{ray_session.dashboard_url}"


@pytest.fixture
def reporter():
    return Reporter(quiet=True)


def make_table(rows, seed=0):
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    size = rng.normal(10, 2, rows) + (colour == "blue") * 5
    return pa.table(
        {
            "colour": pa.array(colour).dictionary_encode(),
            "size": pa.array(size, mask=rng.random(rows) < 0.1),
            "count": pa.array(rng.poisson(3, rows), pa.int32()),
        }
    )


@pytest.fixture(scope="session")
def make_rows():
    return make_table


@pytest.fixture(scope="session")
def table_folder(tmp_path_factory):
    """800 rows in four partitions."""
    folder = tmp_path_factory.mktemp("table")
    for month in range(1, 5):
        (folder / f"month={month}").mkdir()
        pq.write_table(make_table(200, month), folder / f"month={month}" / "part.parquet")
    return folder


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "b"
    Synthesizer(epochs=2, schema={"columns": {}}).fit(make_table(600)).save(path)
    return str(path)


@pytest.fixture
def command():
    """Start the command line in a process of its own, with a Ray of its own."""
    started = []

    def start(*arguments, program="from ray_jobs.cli.__main__ import main; main()"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def wait_until():
    def wait(condition, seconds=90):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.05)

    return wait


class CuttingProxy:
    """Passes everything on, but for what it is told to cut."""

    def __init__(self, port):
        self.target = port
        self.pattern, self.bytes, self.times = b"\0", 0, 0
        self.cut = 0
        """Answers cut so far."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def break_off(self, pattern, after_bytes, times):
        """Cut the answers to requests that have a pattern in their first line."""
        self.pattern, self.bytes, self.times, self.cut = pattern, after_bytes, times, 0

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            left = [None]  # bytes of the answer that may still pass
            threading.Thread(target=self._ask, args=(client, server, left), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, left), daemon=True).start()

    def _ask(self, client, server, left):
        while data := receive(client):
            line = data.split(b"\r\n", 1)[0]
            if re.search(self.pattern, line) and self.cut < self.times:
                self.cut += 1
                left[0] = self.bytes
            server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client, server, left):
        while data := receive(server):
            if left[0] is not None:
                data, left[0] = data[: left[0]], left[0] - len(data)
            client.sendall(data)
            if left[0] is not None and left[0] <= 0:
                break
        with suppress(OSError):  # a plain close would wait for the other thread's read
            client.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


def receive(end):
    try:
        return end.recv(1 << 16)
    except OSError:
        return b""


@pytest.fixture
def cutting_proxy():
    """Makes proxies before servers on the loopback interface."""
    made = []

    def make(port):
        made.append(CuttingProxy(port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory, wait_until):
    """A bucket on a real S3 server on the loopback interface."""
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    rclone = os.path.join(os.path.dirname(sys.executable), "rclone")
    keys = f"{os.environ['AWS_ACCESS_KEY_ID']},{os.environ['AWS_SECRET_ACCESS_KEY']}"
    address = f"127.0.0.1:{_S3_PORT}"
    server = subprocess.Popen(
        [rclone, "serve", "s3", "--addr", address, "--auth-key", keys, str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", _S3_PORT)) == 0

    wait_until(answers, 20)
    yield "s3://bucket"
    server.kill()
    server.wait()
