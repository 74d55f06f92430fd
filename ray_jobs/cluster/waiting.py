"""The wait for room on a cluster: what is waited for is said, and nothing waits for ever unsaid."""

import time
from collections.abc import Mapping

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter, counted
from ray_jobs.cluster.cluster import Cluster, present

WAIT_S = 1_800.0
"""How long a machine may take to come: it may have an image to pull and torch to install."""
_SOON_S = 10.0
"""A wait that ends so soon is not worth a word."""
_TELL_S = 60.0


def wait_for(
    cluster: Cluster, each: Mapping[str, float], reporter: Reporter, *, wait_s: float = WAIT_S
) -> Cluster:
    """The cluster once it has room for one worker of this size beside what others hold.

    A placement group asks for it: a cluster grows to one, serves it in its turn, and forgets it
    when this process ends, however it ends. A machine that has yet to come is waited for so long.
    Work of others ends some day: it is waited for as long as it takes.

    Raises:
        ConfigError: no machine is large enough, and none came in time.
    """
    if cluster.local:
        if not cluster.has_machine(each):
            cure = "; leave --use-gpu out" if "GPU" in each else ""
            raise ConfigError(f"{_words(each)} needed on one machine; {_there(cluster)}{cure}")
        return cluster
    from ray.util.placement_group import placement_group, remove_placement_group

    asked = placement_group([dict(each)])
    began, tell_s = time.monotonic(), _SOON_S
    try:
        while not asked.wait(1):
            cluster, waited_s = present(local=False), time.monotonic() - began
            held = cluster.has_machine(each)
            if not held and waited_s >= wait_s:
                cure = ", or leave --use-gpu out" if "GPU" in each else ""
                raise ConfigError(
                    f"no machine with {_words(each)} came within --wait {wait_s:.0f}s; "
                    f"{_there(cluster)}; add machines, wait longer{cure}"
                )
            if waited_s >= tell_s:
                tell_s = waited_s + _TELL_S
                what = "which others hold" if held else f"for at most {wait_s:,.0f} s"
                reporter.note(
                    f"waiting for {_words(each)}, {what}: {waited_s:.0f} s; {_there(cluster)}"
                )
    finally:
        remove_placement_group(asked)
    return present(local=False)


def _words(each: Mapping[str, float]) -> str:
    return " and ".join(counted(int(number), kind) for kind, number in each.items())


def _there(cluster: Cluster) -> str:
    return f"the cluster has {counted(cluster.cpus, 'CPU')} and {counted(cluster.gpus, 'GPU')}"
