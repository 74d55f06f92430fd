"""How many actors a pass asks for, and how many it may have."""

import pytest

from ray_jobs.cluster.cluster import Cluster, Machine
from ray_jobs.cluster.pool import AT_ONCE, bounds


@pytest.mark.parametrize(
    ("cpus", "local", "work", "most", "expected"),
    [
        (2, True, 100, None, (2, 100)),
        (2, True, 1, None, (1, 1)),
        (2, True, 100, 1, (1, 1)),
        (0, False, 40, None, (40, 40)),
        (0, False, 40, 8, (8, 8)),
        (16, False, 4_000, None, (16 + AT_ONCE, 4_000)),
    ],
)
def test_a_pool_follows_the_work(cpus, local, work, most, expected):
    assert bounds(Cluster((Machine(cpus),), local), work, most) == expected
