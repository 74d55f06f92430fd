"""The benchmark of the service runs, gives each replica its core, and says what it measured."""

import re
from pathlib import Path

import pytest

from serve.benchmark import benchmark


@pytest.mark.slow
def test_replicas_beside_each_other(bundle_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    benchmark(
        bundle_path, seconds=1.0, rows=20_000, replicas=[1, 2], where=["colour=red", "size>=1"]
    )
    said = capsys.readouterr().out
    loads = re.findall(r"(\d+) clients .* (\d+) errors .*, (\d) replica", said)
    assert [(clients, replicas) for clients, _, replicas in loads] == [
        *((clients, "1") for clients in ("1", "8", "64")),
        *((clients, "2") for clients in ("1", "8", "64")),
        ("64", "1"),
    ]
    assert {errors for _, errors, _ in loads} == {"0"}
    assert "2 replicas: " in said.splitlines()[-1]
