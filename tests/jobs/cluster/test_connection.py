"""What is said when there is no cluster."""

import pytest

from gtcoder.errors import ConfigError
from ray_jobs.cluster.connection import connected


def test_nobody_at_the_address_is_said_soon(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with (
        pytest.raises(ConfigError, match=r"--address 127.0.0.1:1: no Ray cluster answers there"),
        connected("127.0.0.1:1"),
    ):
        pass
