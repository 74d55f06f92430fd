"""What is lost when machines are: real clusters of several nodes, real kills."""

import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import OutputError
from gtcoder.progress import Stage
from gtcoder.table.files import list_files
from ray_jobs.cluster.answers import opened
from ray_jobs.folder import MANIFEST
from ray_jobs.generate import ShardWriter
from ray_jobs.shards import Shard, Stream

pytestmark = pytest.mark.timeout(900)


def make_table(rows):
    rng = np.random.default_rng(3)
    colour = rng.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    size = rng.normal(10, 2, rows) + (colour == "blue") * 5
    return pa.table({"colour": colour, "size": size, "count": rng.poisson(size)})


HOST = """
import sys
import ray
from ray.cluster_utils import Cluster


class Replica:
    def ready(self):
        pass


size = {"object_store_memory": 128 << 20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **size})
nodes, held = [], []
print(cluster.address, flush=True)
for line in sys.stdin:
    verb, number = line.split()
    if verb == "add":
        nodes.append(cluster.add_node(num_cpus=int(number), **size))
    elif verb == "kill":
        cluster.remove_node(nodes.pop(int(number)), allow_graceful=False)
    elif verb == "hold":  # as a replica of Serve does
        ray.init(address=cluster.address, log_to_driver=False)
        held.append(ray.remote(num_cpus=int(number))(Replica).remote())
        ray.get(held[-1].ready.remote())
    print("done", flush=True)
cluster.shutdown()
"""
"""Keeps a cluster in a process of its own: pytest's has another Ray."""

QUICK = """
import sys
import ray_jobs.training.fit
ray_jobs.training.fit.RESIZE_S = 5.0
from ray_jobs.cli.__main__ import main
main()
"""
"""The command line, but it looks for returning machines sooner."""


class Machines:
    """A cluster whose head does no work, and its nodes."""

    def __init__(self, *cpus):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "4",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()
        for each in cpus:
            self.tell("add", each)

    def tell(self, verb, number):
        self.process.stdin.write(f"{verb} {number}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def training_workers(self):
        """Process ids of the training's workers on all nodes."""
        return [pid for pid in descendants(self.process.pid) if b"RayTrainWorker" in cmdline(pid)]

    def close(self):
        self.process.communicate(timeout=60)


def cmdline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def descendants(pid):
    """Process ids of a process's children, theirs, and so on."""
    children = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = int(re.search(r"PPid:\t(\d+)", status.read_text())[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


@pytest.fixture
def machines():
    started = []

    def start(*cpus):
        started.append(Machines(*cpus))
        return started[-1]

    yield start
    for each in started:
        each.close()


def last_validation(bundle):
    """The line of the history at the end of training."""
    return Bundle.load(bundle).history[-1]


def checkpoints(run):
    return set(run.glob("checkpoints/*/state.safetensors"))


@pytest.fixture(scope="module")
def large_table(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "table.parquet"
    pq.write_table(make_table(10_000), path)
    return path


@pytest.mark.slow
def test_training_survives_a_worker_and_a_machine(
    machines, large_table, tmp_path, command, wait_until
):
    """It goes on from the last checkpoint with what is left, and grows again."""
    out, run = tmp_path / "b", tmp_path / "b.run"
    line = ["train", large_table, "--num-workers", 2]
    limits = ["--epochs", 100_000, "--max-time", "100s"]
    cluster = machines(1, 1)
    process = command(*line, *limits, "--out", out, "--address", cluster.address, program=QUICK)
    wait_until(lambda: checkpoints(run), 200)
    os.kill(cluster.training_workers()[0], signal.SIGKILL)
    before = checkpoints(run)
    wait_until(lambda: checkpoints(run) - before, 200)
    cluster.tell("kill", 1)
    before = checkpoints(run)
    wait_until(lambda: checkpoints(run) - before, 200)
    assert len(cluster.training_workers()) == 1
    cluster.tell("add", 1)
    wait_until(lambda: len(cluster.training_workers()) == 2 or process.poll() is not None, 200)
    assert process.poll() is None
    _, said = process.communicate()
    assert process.returncode == 0, said

    reached = last_validation(out)
    epochs = max(round(reached["epoch"]), 1)
    undisturbed = command(*line, "--epochs", epochs, "--out", tmp_path / "undisturbed")
    _, said = undisturbed.communicate()
    assert undisturbed.returncode == 0, said
    expected = last_validation(tmp_path / "undisturbed")["validation"]
    # No worse, but perhaps better: one worker alone takes twice the steps in an epoch.
    assert reached["validation"] < expected + 0.1


@pytest.mark.slow
def test_generation_survives_twenty_kills(machines, bundle_path, tmp_path, command):
    """Of the driver and of machines, at random moments: the same bytes, nothing else there."""
    line = ["generate", bundle_path, "--rows", 600_000, "--rows-per-file", 20_000, "--seed", 2]
    cluster = machines(1, 1)
    line += ["--address", cluster.address, "--out"]

    def finished(out):
        process = command(*line, out)
        _, said = process.communicate()
        assert process.returncode == 0, said
        return {name: (out / name).read_bytes() for name in list_files(out)}

    reference = finished(tmp_path / "undisturbed")
    assert len(reference) == 31
    rng, outs = random.Random(0), [tmp_path / "out-0"]
    for number in range(20):
        if (outs[-1] / MANIFEST).exists():
            outs.append(tmp_path / f"out-{number}")
        process = command(*line, outs[-1])
        moment = time.monotonic() + rng.uniform(3, 8)
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.05)
        if number % 4:
            process.kill()
        else:
            cluster.tell("kill", rng.randrange(2))
            cluster.tell("add", 1)
            _, said = process.communicate()
            assert process.returncode == 0, said
    for out in outs:
        assert finished(out) == reference


@pytest.mark.slow
def test_completing_survives_kills(machines, bundle_path, tmp_path, command, wait_until):
    """Of the driver and of machines, at random moments: the same bytes, nothing else there."""
    table, rng = tmp_path / "table", np.random.default_rng(1)
    table.mkdir()
    for number in range(160):
        rows = make_table(1_000).set_column(2, "count", pa.array(rng.poisson(3, 1_000), pa.int32()))
        gone = pa.array(rng.random(1_000) < 0.3)
        for at, name in enumerate(["colour", "size"]):
            cells = pc.if_else(gone, pa.scalar(None, rows[name].type), rows[name])
            rows = rows.set_column(at, name, cells)
        pq.write_table(rows, table / f"{number:03d}.parquet")
    cluster = machines(1, 1)
    line = ["complete", table, "--bundle", bundle_path, "--seed", 2]
    line += ["--address", cluster.address, "--out"]

    def finished(out):
        process = command(*line, out)
        said, wrong = process.communicate()
        assert process.returncode == 0, wrong
        return said

    def content(out):
        return {name: (out / name).read_bytes() for name in list_files(out)}

    finished(tmp_path / "undisturbed")
    reference = content(tmp_path / "undisturbed")
    assert len(reference) == 21

    def disturbed(out, moment_s, machine):
        before, process = len(list_files(out)), command(*line, out)
        wait_until(lambda: len(list_files(out)) > before + 1 or process.poll() is not None)
        time.sleep(moment_s)
        if machine is None:
            process.kill()
            process.communicate()
            return
        cluster.tell("kill", machine)
        cluster.tell("add", 1)
        _, said = process.communicate()
        assert process.returncode == 0, said

    moments, outs, midway = random.Random(0), [tmp_path / "out-0"], 0
    for number in range(5):
        machine = moments.randrange(2) if number % 2 else None
        disturbed(outs[-1], moments.uniform(0, 1.5), machine)
        if (outs[-1] / MANIFEST).exists():
            outs.append(tmp_path / f"out-{number + 1}")
        else:
            midway += 1
    assert midway, "no driver was killed before its end"
    said = finished(outs[-1])
    assert "160,000 rows completed" in said
    for out in outs:
        assert content(out) == reference


def test_a_full_disk_is_one_clear_line_and_leaves_no_half_file(bundle_path, tmp_path):
    """Twenty times, full after any number of bytes."""
    stream = Stream(bundle_path, Bundle.load(bundle_path).checksum, seed=1, where=())
    shards = [
        Shard(str(tmp_path / f"part-{i}.parquet"), i * 5_000, i * 5_000 + 5_000) for i in (0, 1)
    ]
    writer = ShardWriter(stream, shards)

    def write(number):
        [row] = writer(pa.table({"number": [number]})).to_pylist()
        return opened(row, Stage("generate"))

    write(0)
    whole = (tmp_path / "part-0.parquet").read_bytes()
    (tmp_path / "part-0.parquet").unlink()
    rng = random.Random(0)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for _ in range(20):
        resource.setrlimit(resource.RLIMIT_FSIZE, (rng.randrange(len(whole)), hard))
        try:
            with pytest.raises(OutputError, match=r"part-0\.parquet: File too large; make room"):
                write(0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert list_files(tmp_path) == {}
    write(0)
    assert (tmp_path / "part-0.parquet").read_bytes() == whole


@pytest.mark.slow
def test_all_at_once_on_too_small_a_cluster(machines, large_table, bundle_path, tmp_path, command):
    """Serve holds one of two CPUs for good: a training and a bulk job share the other in turn."""
    cluster = machines(2)
    cluster.tell("hold", 1)
    jobs = [
        command(*line, "--address", cluster.address)
        for line in (
            ["train", large_table, "--out", tmp_path / "b", "--epochs", 2, "--num-workers", 2],
            ["generate", bundle_path, "--out", tmp_path / "o", "--rows", 400_000],
            ["train", large_table, "--out", tmp_path / "c", "--epochs", 2],
        )
    ]
    for job in jobs:
        _, said = job.communicate(timeout=280)
        assert job.returncode == 0, said
    assert pq.read_table(tmp_path / "o").num_rows == 400_000
    assert Bundle.load(tmp_path / "b").info["stopped"] == "epochs"
    assert Bundle.load(tmp_path / "c").info["stopped"] == "epochs"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "generate"])
def test_two_of_one_output(machines, large_table, bundle_path, tmp_path, command, verb):
    """Begun within seconds of one another: one line for one of them or both well, all whole."""
    cluster = machines(2, 2)
    asked = {
        "train": [large_table, "--epochs", 2, "--num-workers", 1],
        "generate": [bundle_path, "--rows", 200_000, "--rows-per-file", 20_000],
    }[verb]
    rng = random.Random(0)
    for number in range(5):
        out, both = tmp_path / f"{number}", []
        for wait_s in (rng.uniform(0, 20), 0):
            both.append(command(verb, *asked, "--out", out, "--address", cluster.address))
            time.sleep(wait_s)
        said = [process.communicate(timeout=300)[1] for process in both]
        assert 0 in [process.returncode for process in both], said
        for process, lines in zip(both, said, strict=True):
            assert "Traceback" not in lines
            assert lines.count("error: ") == bool(process.returncode)
        if verb == "train":
            Bundle.load(out).model()
        else:
            assert pq.read_table(out).num_rows == 200_000
            assert len(list(out.iterdir())) == 11
        assert not (tmp_path / f"{number}.run").exists()
