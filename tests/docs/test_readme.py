"""What the README tells people to type works, word for word but for a port that may be taken."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tomllib
import venv

import pandas as pd
import pytest

from gtcoder.example import orders


@pytest.fixture(scope="module")
def of_kind(blocks):
    """The README's blocks of a kind."""
    return lambda kind: [code for each, code in blocks("README.md") if each == kind]


def test_it_is_short(root):
    assert len((root / "README.md").read_bytes()) < 12_000


def test_the_install_lines_name_what_there_is(of_kind, root):
    (install,), (tests,) = of_kind("bash install"), of_kind("bash tests")
    assert re.fullmatch(r'pip install -c constraints.txt "\.\[[\w,]+\]"\n', install)
    assert tests == 'pip install -c constraints.txt -e ".[dev]" && pytest\n'
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = set(re.search(r"\[(.*)\]", install)[1].split(","))
    assert extras <= set(project["optional-dependencies"])


def test_the_first_rows(first_minute):
    rows = pd.read_csv(first_minute / "synthetic.csv")
    assert len(rows) == 1_000
    assert list(rows.columns) == list(orders(1).columns)
    assert (rows["total"] - rows["unit_price"] * rows["quantity"]).abs().max() < 0.006
    assert rows.groupby("city")["country"].nunique().max() == 1
    arrived = rows.dropna(subset="delivered_on")
    assert (arrived["delivered_on"] >= arrived["ordered_at"].str[:10]).all()
    assert rows["order_id"].is_unique
    assert rows["comment"].isna().all()


def test_the_output_shown_is_of_the_example(of_kind):
    header = of_kind("text")[0].split()
    assert set(header) & set(orders(1).columns)


def test_the_python_runs(of_kind, first_minute, monkeypatch, capsys):
    monkeypatch.chdir(first_minute)
    names: dict[str, object] = {}
    exec("\n".join(of_kind("python")), names)
    assert len(names["fake"]) == len(names["parisian"]) == 1_000
    assert set(names["parisian"]["city"]) == {"Paris"}
    assert names["parisian"]["age"].min() >= 65
    assert "product" in capsys.readouterr().out


def test_the_jobs_run(of_kind, first_minute, shell):
    for code in of_kind("bash")[1:]:
        shell(code, first_minute)
    assert len(pd.read_parquet(first_minute / "synthetic")) == 100_000
    elderly = pd.read_csv(first_minute / "elderly.csv")
    assert len(elderly) == 1_000
    assert elderly["age"].min() >= 65
    assert (first_minute / "explanation" / "attention.png").exists()


@pytest.fixture
def service(of_kind, blocks, first_minute, environment, free_port):
    """The service of the README, which is that of its own page, and where it is."""
    (code,) = of_kind("bash service")
    assert ("bash service", code) in blocks("docs/service.md")
    line = ["bash", "-c", f"exec {code.strip()} --port {free_port()}"]
    with subprocess.Popen(
        line, cwd=first_minute, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        found = (re.search(r"http://127.0.0.1:\d+", line) for line in process.stdout)
        yield next(match[0] for match in found if match)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.timeout(240)
def test_the_service_runs(of_kind, blocks, service, first_minute, shell):
    """All but batches: of several Rays on a machine, as in a test run, only one takes jobs."""
    there = service.removeprefix("http://")
    pages = [*blocks("README.md"), *blocks("docs/service.md")]
    told = ""
    for kind, code in pages:
        if kind == "bash requests":
            for line in code.splitlines():
                told += shell(line.replace("localhost:8000", there), first_minute)
        elif kind == "python client":
            names: dict[str, object] = {}
            exec(code.replace("http://localhost:8000", service), names)
            names["client"].close()
            assert len(names["frame"]) == 1_000
    assert told.count('"city":"Paris"') == 6
    assert (first_minute / "attention.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_batches_run(blocks, service, first_minute, shell):
    """Not beside another Ray of this process: of several on a machine only one takes jobs."""
    there = service.removeprefix("http://")
    names: dict[str, object] = {}
    for kind, code in blocks("docs/service.md"):
        if kind == "bash batches":
            shell(code.replace("localhost:8000", there), first_minute)
        elif kind in ("python client", "python batches"):
            exec(code.replace("http://localhost:8000", service), names)
    names["client"].close()
    assert names["files"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_evaluation_runs(of_kind, first_minute, shell):
    (code,) = of_kind("bash slow")
    shell(code, first_minute, timeout=600)
    assert "<html" in (first_minute / "report" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fresh_machine(of_kind, root, tmp_path):
    """The lines in an environment that has nothing but Python."""
    checkout, fresh = tmp_path / "checkout", tmp_path / "fresh"
    checkout.mkdir()
    for name in ("gtcoder", "ray_jobs", "serve"):
        shutil.copytree(root / name, checkout / name)
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy2(root / name, checkout / name)
    venv.create(fresh, with_pip=True)
    first = f"python - <<'END'\n{of_kind('python')[0]}END\n"
    code = of_kind("bash install")[0] + first + of_kind("bash")[0]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = f". {shlex.quote(str(fresh / 'bin' / 'activate'))}\n{code}"
    subprocess.run(["bash", "-e", "-c", script], cwd=checkout, env=bare, check=True)
    assert len(pd.read_csv(checkout / "synthetic.csv")) == 1_000
