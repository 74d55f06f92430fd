"""What can be submitted as a job, and how a job is run."""

import os
import subprocess
import sys

import pytest

from gtcoder.errors import ConfigError
from ray_jobs.submit import Submission, submit

pytestmark = pytest.mark.timeout(240)


def test_a_job_may_be_run_as_a_module(tmp_path):
    """As `ray job submit -- python -m ray_jobs.train` does."""
    line = [sys.executable, "-m", "ray_jobs.train", "/nowhere", "--out", str(tmp_path / "b")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: no table: /nowhere: no such file or folder\n"


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("serve", [], "cannot submit 'serve'; there are: train, generate"),
        ("train", ["s3://t", "--out", "models/b"], "--out models/b: a job's own folder goes when"),
        ("train", ["s3://t", "--out", "s3://b", "--storage=runs"], "--storage runs: a job's own"),
    ],
)
def test_what_cannot_be_submitted(verb, arguments, message, reporter):
    with pytest.raises(ConfigError, match=message):
        submit_nowhere(reporter, verb=verb, arguments=arguments)


def submit_nowhere(reporter, **asked):
    submit(Submission(**asked, address="http://127.0.0.1:1"), reporter)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"env": ["1st=x"]}, "--env 1st: expected NAME or NAME=VALUE"),
        ({"env": ["NOT_SET_ANYWHERE"]}, "--env NOT_SET_ANYWHERE: it is not set here"),
        ({"runtime_env": "/nowhere.yaml"}, "--runtime-env /nowhere.yaml cannot be read"),
        ({"runtime_env": "{tmp}/list.yaml"}, "list.yaml: expected Ray's settings by name"),
        ({"runtime_env": "{tmp}/bad.yaml"}, "bad.yaml: expected Ray's settings by name"),
        ({"driver_cpus": -1}, "--driver-cpus must not be negative"),
        ({"working_dir": "/nowhere"}, "--working-dir /nowhere: no such folder"),
    ],
)
def test_what_cannot_be_forwarded(asked, message, tmp_path, reporter):
    (tmp_path / "list.yaml").write_text("[pip]")
    (tmp_path / "bad.yaml").write_text("env_vars: [A]")
    known = {k: v.format(tmp=tmp_path) if isinstance(v, str) else v for k, v in asked.items()}
    with pytest.raises(ConfigError, match=message):
        submit_nowhere(reporter, verb="explain", arguments=["s3://b"], **known)


def test_a_job_is_called_after_what_it_writes():
    def name(*arguments, verb="train"):
        return Submission(verb=verb, arguments=arguments).name

    assert name("t", "--out", "s3://b/m") == name("u", "--seed", "1", "--out=s3://b/m/")
    assert name("t", "--out", "s3://b/m") != name("t", "--out", "s3://b/n")
    assert name("t", "--out", "s3://b/m") != name("t", "--out", "s3://b/m", verb="generate")
    assert name("codec", verb="benchmark") != name("codec", verb="benchmark")
