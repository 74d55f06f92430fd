"""A training that grows: Ray Train's elastic workers, counted by what is free.

Ray's own policy counts what machines have: beside another job it would stop the workers for more
that never find room. This module imports Ray, so it is imported once a cluster is connected.
"""

from typing import Any

import ray
from ray._private.state import available_resources_per_node, state
from ray.core.generated.gcs_pb2 import PlacementGroupTableData
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy


class Growth(ElasticScalingPolicy):
    """As many workers as there is room for beside what others hold, up to the most.

    It asks the cluster for the most from the beginning. A running training is resized once the
    same room was found twice, or room for all: machines come one after another, and each time
    costs a restart from the last checkpoint.
    """

    def __init__(self, scaling_config: ScalingConfig) -> None:
        super().__init__(scaling_config)
        self._running, self._seen = False, 0

    def make_decision_for_non_running_worker_group(self) -> Any:
        """Begin with whatever there is room for."""
        self._running = False
        return super().make_decision_for_non_running_worker_group()

    def make_decision_for_running_worker_group(
        self, worker_group_state: Any, worker_group_status: Any
    ) -> Any:
        """Go on, or take what has come."""
        self._running = True
        return super().make_decision_for_running_worker_group(
            worker_group_state, worker_group_status
        )

    def _count_possible_workers(self, reserved_resources: Any) -> int:
        held = self._held()
        room = min(held + self._free(), self.scaling_config.max_workers)
        steady = room in (self._seen, self.scaling_config.max_workers)
        self._seen = room
        return room if steady or not self._running else held

    def _held(self) -> int:
        """Workers that this training has room for already, on machines that are still there.

        When one has died the others' room, and its own, is held until all begin anew.
        """
        me = ray.get_runtime_context().get_actor_id()
        there = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        said = state._connect_and_get_accessor().get_placement_group_table()
        groups = [PlacementGroupTableData.FromString(each) for each in said]
        return sum(
            bundle.node_id.hex() in there
            for group in groups
            if group.creator_actor_id.hex() == me and group.state != group.REMOVED
            for bundle in group.bundles
        )

    def _free(self) -> int:
        """Workers that fit beside all that is held."""
        each = self.scaling_config._resources_per_worker_not_none
        nodes = available_resources_per_node().values()
        return sum(min(int(node.get(kind, 0) // each[kind]) for kind in each) for node in nodes)


class GrowingTrainer(TorchTrainer):
    """Ray's trainer, with this policy where the number of workers is a range, and no signals."""

    def _register_sigint_handler(self, controller: Any) -> None:
        """Leave Ctrl-C to the command: it ends at once, and the last checkpoint stays."""

    def _initialize_and_run_controller(self, **told: Any) -> Any:
        if self.scaling_config.elasticity_enabled:
            told["scaling_policy"] = Growth(self.scaling_config)
        return super()._initialize_and_run_controller(**told)
