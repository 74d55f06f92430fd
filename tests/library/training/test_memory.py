"""Memory that a training keeps: what an array had is there for the next, and goes back after."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json
import torch
from gtcoder.training.memory import memory_kept

BYTES = 1 << 26

def resident():
    "Bytes of this process in memory."
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024

def kept_of_an_array():
    "The part of an array's bytes that the process still has once it is gone."
    before = resident()
    b"1" * BYTES
    return (resident() - before) / BYTES

found = {}
for device in ("cuda", "cpu"):
    with memory_kept(torch.device(device)):
        found[device] = kept_of_an_array()
        before = resident()
found["given back"] = (before - resident()) / BYTES
try:
    with memory_kept(torch.device("cpu")):
        raise RuntimeError
except RuntimeError:
    found["after a failure"] = kept_of_an_array()
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_memory_is_kept_within_and_no_longer():
    """In a process of its own, in which no other array lies in between."""
    line = [sys.executable, "-c", PROGRAM]
    found = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    assert min(found["cpu"], found["given back"]) > 0.9
    assert max(found["cuda"], found["after a failure"]) < 0.1
