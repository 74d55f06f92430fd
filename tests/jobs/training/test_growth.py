"""How many workers a training takes of what is free, and when."""

import pytest


@pytest.fixture
def room(monkeypatch):
    """Workers that a policy for 1 to 4 of them makes room for, of the CPUs that nodes have free."""
    from ray.train import ScalingConfig

    from ray_jobs.training import growth

    policy = growth.Growth(ScalingConfig(num_workers=(1, 4), resources_per_worker={"CPU": 2}))

    def count(held, *free):
        nodes = {str(node): {"CPU": float(cpus)} for node, cpus in enumerate(free)}
        monkeypatch.setattr(growth, "available_resources_per_node", lambda: nodes)
        monkeypatch.setattr(policy, "_held", lambda: held)
        policy._running = held > 0
        return policy._count_possible_workers({"reserved": {"CPU": 64.0}})

    return count


def test_it_begins_with_all_that_is_free(room):
    assert room(0) == 0
    assert room(0, 1, 1) == 0
    assert room(0, 3, 2) == 2
    assert room(0, 16) == 4


def test_it_grows_once_no_more_machines_come_or_there_is_room_for_all(room):
    assert [room(1, 2), room(1, 2)] == [1, 2]
    assert [room(1, 0), room(1, 2), room(1, 4), room(1, 4)] == [1, 1, 1, 3]
    assert room(1, 2, 2, 2) == 4
    assert [room(2), room(2)] == [2, 2]
