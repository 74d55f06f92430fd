"""What `gtcoder serve` refuses before anything starts."""

import socket

import pytest
import torch

from gtcoder.errors import ConfigError
from serve.__main__ import _METRICS, _metrics_port, serve_bundles


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicas": 3, "max_replicas": 2}, "--max-replicas 2 is less than --replicas 3"),
        ({"host": "0.0.0.0"}, "there are no keys; add --api-key-file"),
        ({"metrics_port": 80, "address": "auto"}, "--metrics-port is of a Ray that starts here"),
        ({"cors_origin": ["*"]}, r"--cors-origin \*: expected https://HOST"),
        ({"use_gpu": True, "replicas": 99}, "--use-gpu: 99 replicas cannot run without"),
    ],
)
def test_options_that_cannot_be(bundle_path, options, message, monkeypatch):
    monkeypatch.delenv("GTCODER_API_KEYS", raising=False)
    assert torch.cuda.device_count() < 99
    with pytest.raises(ConfigError, match=message):
        serve_bundles([bundle_path], **options)


def test_metrics_have_their_usual_port_unless_it_is_taken(bundle_path):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--metrics-port {taken}: cannot listen there"):
            _metrics_port(taken)
    assert _metrics_port(taken) == taken
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", _METRICS))
            other.listen()
        except OSError:  # another service on this machine has it
            pass
        assert _metrics_port(None) != _METRICS
