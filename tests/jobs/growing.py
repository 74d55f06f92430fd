"""A cluster that grows by itself, on this machine: a head without CPUs, a pool of nodes from none.

    python growing.py NODES PORT        prints its address, then its nodes; ends with its input

Nodes are processes, started and stopped by Ray's own autoscaler. Each says it has one CPU: what is
counted here is nodes, not speed. Ray's own AutoscalingCluster ends every Ray on the machine first.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import ray  # before psutil, which it brings

import psutil  # isort: skip
from ray._private.state import available_resources_per_node
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

IDLE_S = 15


def configuration(nodes, address):
    store = {"object_store_memory": 100 << 20}
    lists = (
        "initialization_commands setup_commands head_setup_commands worker_setup_commands "
        "head_start_ray_commands worker_start_ray_commands cluster_synced_files rsync_exclude "
        "rsync_filter"
    )
    return {
        "cluster_name": "growing",
        "max_workers": nodes,
        "idle_timeout_minutes": IDLE_S / 60,
        "upscaling_speed": 100,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            "launch_multiple": True,  # else one node a second, whatever is asked for
            "use_node_id_as_ip": True,  # else all are taken for the head, and for dead
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
            "pool": {"resources": {"CPU": 1, **store}, "node_config": {}, "max_workers": nodes},
        },
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in lists.split()},
    }


def main():
    nodes, port = int(sys.argv[1]), int(sys.argv[2])
    address = f"127.0.0.1:{port}"
    file = Path(tempfile.mkdtemp()) / "cluster.json"
    file.write_text(json.dumps(configuration(nodes, address)))
    own = {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    }
    head = subprocess.Popen(
        [
            *[Path(sys.executable).parent / "ray", "start", "--head", "--block", "--num-cpus=0"],
            *["--node-ip-address=127.0.0.1", "--object-store-memory=200000000", f"--port={port}"],
            *["--dashboard-port=0", "--dashboard-agent-listen-port=0"],
            f"--autoscaling-config={file}",
        ],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        print(address, flush=True)
        threading.Thread(target=tell, daemon=True).start()
        sys.stdin.read()
    finally:
        end(head.pid, address)


def tell():
    """Say how many nodes there are, and how many CPUs of them are in use, when it changes."""
    said = None
    while True:
        nodes = sum(node["Alive"] for node in ray.nodes()) - 1
        free = available_resources_per_node().values()
        now = nodes, max(nodes - sum(int(node.get("CPU", 0)) for node in free), 0)
        if now != said:
            print(*now, flush=True)
            said = now
        time.sleep(0.3)


def end(head, address):
    """End the head with all that it started: nodes name the cluster's address."""
    ours = {psutil.Process(head), *psutil.Process(head).children(recursive=True)}
    for process in psutil.process_iter(["cmdline"]):
        if any(f"={address}" in word for word in process.info["cmdline"] or ()):
            ours.add(process)
    ours -= {psutil.Process()}
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=10)


if __name__ == "__main__":
    main()
