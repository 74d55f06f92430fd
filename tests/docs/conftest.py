"""How the words are tried: a folder as it is after the README's first minute, blocks run in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def blocks():
    """The blocks of a page in their order: what stands behind the fence, and what is between."""

    def found(page: str) -> list[tuple[str, str]]:
        return re.findall(r"^```([^\n]*)\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)

    return found


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """With the commands of this checkout."""
    scripts = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    return {**os.environ, "PATH": scripts, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture(scope="session")
def shell(environment):
    """Runs a block as a shell does, to the first command that fails."""

    def run(code: str, folder: Path, timeout: float = 280) -> str:
        command = ["bash", "-e", "-o", "pipefail", "-c", code]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def first_minute(tmp_path_factory, blocks, shell) -> Path:
    """A folder in which the README's first commands have been typed."""
    folder = tmp_path_factory.mktemp("words")
    first = next(code for kind, code in blocks("README.md") if kind == "bash")
    shell(first, folder)
    return folder
