"""What the README tells people to type works."""

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gtcoder.synthesizer import Synthesizer
from ray_jobs.cli.__main__ import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A place with the table that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    rng, rows = np.random.default_rng(0), 500
    claims = pd.DataFrame(
        {
            "sex": rng.choice(["Female", "Male"], rows),
            "age": rng.integers(18, 90, rows),
            "amount": rng.lognormal(6, 1, rows).round(2),
        }
    )
    (folder / "claims").mkdir()
    claims[:250].to_parquet(folder / "claims" / "a.parquet", index=False)
    claims[250:].to_parquet(folder / "claims" / "b.parquet", index=False)
    return folder


def shortened(text: str, of: str, to: str) -> str:
    """The same with less time to train, which is all that a test changes."""
    assert of in text
    return text.replace(of, to)


def test_set_up_is_two_commands():
    lines = [re.sub(r" +#.*", "", line) for line in blocks("bash")[0].splitlines()]
    assert lines == [
        'pip install -c constraints.txt ".[demo]" && gtcoder demo',
        'pip install -c constraints.txt -e ".[dev]" && pytest',
    ]


def test_the_commands_run(folder):
    jobs = shortened(blocks("bash")[1], "--max-time 5m", "--max-time 3s")
    for line in jobs.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "gtcoder"
        command = [sys.executable, "-m", "ray_jobs.cli", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(folder / "claims_synthetic")) == 10_000
    elderly = pd.read_parquet(folder / "elderly")
    assert len(elderly) == 1_000
    assert elderly["age"].min() >= 65
    assert set(elderly["sex"]) == {"Female"}
    assert {"contributions.json"} < {path.name for path in (folder / "explanation").iterdir()}


@pytest.fixture
def flights(folder):
    """Something in the place of the demo's bundle."""
    rng, rows = np.random.default_rng(0), 300
    table = pd.DataFrame(
        {"origin": rng.choice(["JFK", "LGA"], rows), "delay": rng.normal(0, 20, rows).round()}
    )
    Synthesizer(epochs=1).fit(table).save(folder / "gtcoder-demo" / "bundle")


@pytest.mark.timeout(240)
def test_the_service_runs(folder, flights, free_port, monkeypatch):
    """All but the batch: of several Rays on a machine, as in a test run, only one takes jobs."""
    monkeypatch.chdir(folder)
    line, requests = blocks("bash service")[0].split(), blocks("bash requests")[0].splitlines()
    command = [sys.executable, "-m", "ray_jobs.cli", *line[1:], "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        found = (re.search(r"http://127.0.0.1:\d+", line) for line in service.stdout)
        url = next(match[0] for match in found if match)
        answers = []
        for request in requests[:2]:
            there = request.replace("localhost:8000", url.removeprefix("http://"))
            done = subprocess.run(shlex.split(there), capture_output=True, timeout=60)
            assert done.returncode == 0, (request, done.stderr)
            answers.append(done.stdout)
        assert [row["origin"] for row in json.loads(answers[0])] == ["JFK"] * 3
        assert (folder / "attention.png").read_bytes().startswith(b"\x89PNG")
        code = blocks("python client")[0].replace("http://localhost:8000", url)
        names: dict[str, object] = {}
        exec(code.partition("batch =")[0], names)
        names["client"].close()
        assert len(names["frame"]) == 1_000
        service.send_signal(signal.SIGINT)
        assert service.wait(60) == 0


def test_the_python_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for block in blocks("python"):
        names: dict[str, object] = {}
        exec(shortened(block, "max_time_s=300", "max_time_s=3"), names)
        assert len(names["women"]) == 1_000
        assert set(names["women"]["sex"]) == {"Female"}


def test_every_departure_from_the_paper_is_listed():
    marked = {
        path.relative_to(ROOT).as_posix()
        for package in ("gtcoder", "ray_jobs", "serve")
        for path in (ROOT / package).rglob("*.py")
        if "NOTE[DIFF]" in path.read_text()
    }
    section = README.split("## Where the code leaves the paper")[1].split("\n## ")[0]
    assert marked == set(re.findall(r"`([\w/]+\.py)`", section))


def test_every_command_is_listed():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    table = README.split("## Commands")[1].split("\n\n")[1]
    assert names <= set(re.findall(r"`gtcoder (\w+)", table))


def test_the_ray_data_code_runs(folder):
    code = shortened(blocks("python ray")[0], "max_time_s=300", "max_time_s=3")
    local = "ray.init(address='local', num_cpus=2, include_dashboard=False)\n"
    code = code.replace("import ray\n", f"import ray\n{local}", 1)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    women = pd.read_parquet(folder / "women")
    assert len(women) == 100_000
    assert set(women["sex"]) == {"Female"}
    assert Synthesizer.load(folder / "models" / "claims_from_ray").schema.names == [
        "sex", "age", "amount"
    ]  # fmt: skip
