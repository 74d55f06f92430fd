"""What `gtcoder serve` refuses before anything starts."""

import pytest
import torch

from gtcoder.errors import ConfigError
from serve.__main__ import serve_bundles


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicas": 3, "max_replicas": 2}, "--max-replicas 2 is less than --replicas 3"),
        ({"host": "0.0.0.0"}, "there are no keys; add --api-key-file"),
        ({"use_gpu": True, "replicas": 99}, "--use-gpu: 99 replicas cannot run without"),
    ],
)
def test_options_that_cannot_be(bundle_path, options, message, monkeypatch):
    monkeypatch.delenv("GTCODER_API_KEYS", raising=False)
    assert torch.cuda.device_count() < 99
    with pytest.raises(ConfigError, match=message):
        serve_bundles([bundle_path], **options)
