"""A state comes back as it was, and one of another format is refused in words."""

import json

import pytest
import torch

from gtcoder.errors import OutputError
from gtcoder.training.checkpoint import State, pack, unpack


def other_format(data, version):
    """The same state, as a gtcoder of another format would have written it."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] |= {"format_version": version, "library_version": "9.8"}
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + data[8 + size :]


def test_it_comes_back():
    state, tensors = unpack(pack(State(epoch=3, history=[{"a": 1.0}]), {"w": torch.arange(3)}))
    assert state == State(epoch=3, history=[{"a": 1.0}])
    assert tensors["w"].tolist() == [0, 1, 2]


def test_another_format_is_told():
    data = other_format(pack(State(), {"w": torch.arange(3)}), "4")
    with pytest.raises(
        OutputError, match=r"begun by gtcoder 9\.8, whose checkpoints have format 4"
    ):
        unpack(data)
