"""What there is to work with: the machines of a Ray cluster, and what of them is free."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What one machine has, or has free."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to work with."""

    machines: tuple[Machine, ...]
    local: bool
    """Whether it was started for this process and ends with it."""

    @property
    def cpus(self) -> int:
        """CPUs of all machines."""
        return sum(machine.cpus for machine in self.machines)

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        return sum(machine.gpus for machine in self.machines)

    def count(self, kind: str) -> int:
        """How many of a kind, `CPU` or `GPU`."""
        return self.gpus if kind == "GPU" else self.cpus

    def has_machine(self, each: Mapping[str, float]) -> bool:
        """Whether one of its machines has so many CPUs and GPUs, whoever holds them."""
        cpus, gpus = each.get("CPU", 0), each.get("GPU", 0)
        return any(machine.cpus >= cpus and machine.gpus >= gpus for machine in self.machines)


def present(*, local: bool) -> Cluster:
    """What is there at this moment, in use or not."""
    import ray

    return _of((node["Resources"] for node in ray.nodes() if node["Alive"]), local=local)


def alone() -> bool:
    """Whether it is one machine with CPUs, as where Ray was started for one program."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return len(nodes) == 1 and nodes[0].get("CPU", 0) >= 1


def free(cluster: Cluster) -> Cluster:
    """What is not in use at this moment."""
    from ray._private.state import available_resources_per_node

    return _of(available_resources_per_node().values(), local=cluster.local)


def _of(nodes: Iterable[Mapping[str, float]], *, local: bool) -> Cluster:
    machines = [Machine(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]
    return Cluster(tuple(machines) or (Machine(0),), local)
