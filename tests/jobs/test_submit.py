"""What can be submitted as a job, and how a job is run."""

import os
import subprocess
import sys

import pytest

from gtcoder.errors import ConfigError
from ray_jobs.submit import submit

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
        submit(verb, arguments, "http://127.0.0.1:1", None, reporter)
