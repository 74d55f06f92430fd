"""Jobs on a cluster that grows by itself: from no node to as many as pay, and back to none."""

import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
NODES = 3
QUICK = """
import ray_jobs.training.fit
ray_jobs.training.fit.RESIZE_S = 3.0
from ray_jobs.cli.__main__ import main
main()
"""
"""The command line, but it looks sooner for machines that have come."""


class Growing:
    """A cluster in a process of its own, and what it says of its nodes."""

    def __init__(self, port):
        program = Path(__file__).with_name("growing.py")
        self.process = subprocess.Popen(
            [sys.executable, program, str(NODES), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()
        self.nodes = self.busy = self.peak = self.peak_busy = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.nodes, self.busy = map(int, line.split())
            self.peak, self.peak_busy = max(self.peak, self.nodes), max(self.peak_busy, self.busy)

    def close(self):
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def growing(free_port):
    cluster = Growing(free_port())
    yield cluster
    cluster.close()


@pytest.fixture
def idle(growing, wait_until):
    """The same without a node, before and after a job."""
    wait_until(lambda: growing.nodes == 0, 120)
    growing.peak = growing.peak_busy = 0
    yield growing
    wait_until(lambda: growing.nodes == 0, 120)


def ended(process):
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return out


def test_a_generation_grows_to_its_files(idle, bundle_path, tmp_path, command):
    line = ["generate", bundle_path, "--rows", 2_000_000, "--rows-per-file", 50_000]
    told = ended(command(*line, "--out", tmp_path / "o", "--address", idle.address))
    assert "2,000,000 rows in 40 files" in told
    assert idle.peak >= NODES


def test_a_pass_over_many_files_grows_to_its_pieces(idle, make_rows, tmp_path, command):
    table = make_rows(10_000)
    for number in range(200):
        pq.write_table(table, tmp_path / f"{number:03d}.parquet")
    told = ended(command("inspect", tmp_path, "--address", idle.address))
    assert "2,000,000 rows, 200 parquet files" in told
    assert idle.peak >= NODES


def test_a_training_begins_with_what_there_is_and_grows(idle, make_rows, tmp_path, command):
    pq.write_table(make_rows(3_000), tmp_path / "t.parquet")
    line = ["train", tmp_path / "t.parquet", "--epochs", 100_000, "--max-time", "30s"]
    line += ["--num-workers", NODES, "--out", tmp_path / "b", "--address", idle.address]
    ended(command(*line, program=QUICK))
    assert idle.peak_busy >= NODES
    assert Bundle.load(tmp_path / "b").info["stopped"] == "max_time"


def test_a_service_a_training_and_a_generation_meet(
    idle, make_rows, bundle_path, tmp_path, command
):
    """A replica holds a node: the others get one each, or take turns."""
    pq.write_table(make_rows(3_000), tmp_path / "t.parquet")
    replica = command(idle.address, program=REPLICA)
    assert replica.stdout.readline() == "ready\n"
    at = ["--address", idle.address]
    train = ["train", tmp_path / "t.parquet", "--out", tmp_path / "b", "--epochs", 3]
    generate = ["generate", bundle_path, "--rows", 1_000_000, "--rows-per-file", 100_000]
    jobs = [
        command(*train, "--num-workers", NODES, *at),
        command(*generate, "--out", tmp_path / "o", *at),
    ]
    for job in jobs:
        ended(job)
    assert pq.read_table(tmp_path / "o").num_rows == 1_000_000
    assert Bundle.load(tmp_path / "b").info["stopped"] == "epochs"
    replica.kill()


REPLICA = """
import sys
import time
import ray


class Replica:
    def ready(self):
        pass


ray.init(address=sys.argv[1], log_to_driver=False)
held = ray.remote(num_cpus=1)(Replica).remote()
ray.get(held.ready.remote())
print("ready", flush=True)
time.sleep(600)
"""
"""Holds a CPU until it is killed, as a replica of Serve does."""
