"""A port to listen at, and a service that listens there as a user starts it."""

import subprocess
import sys

import pytest

from serve.settings import Listen


@pytest.fixture
def at(free_port):
    return Listen(host="127.0.0.1", port=free_port())


@pytest.fixture
def service(at, bundle_path):
    """Starts the service as a user does, and waits until it says that it runs."""
    started = []

    def start(*options):
        command = [sys.executable, "-m", "serve", f"--name=claims={bundle_path}"]
        command += [f"--port={at.port}", *options]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert any(line.startswith("Ctrl-C") for line in started[0].stdout)
        return started[0]

    yield start
    for process in started:
        process.terminate()
        process.wait(60)
