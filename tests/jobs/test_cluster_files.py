"""What starts clusters is accepted by those who read it, and says what docs/cluster.md promises."""

import copy
import shlex
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml

from ray_jobs.cli.__main__ import app

ROOT = Path(__file__).parents[2]
MANIFESTS = ["ray_jobs/rayjob.yaml", "serve/rayservice.yaml"]


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


@pytest.fixture
def cluster():
    return read("cluster.yaml")


@pytest.fixture(params=MANIFESTS)
def kubernetes(request):
    """The Ray cluster in a manifest."""
    spec = read(request.param)["spec"]
    return spec.get("rayClusterSpec") or spec["rayClusterConfig"]


def accepted(cluster):
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(copy.deepcopy(cluster))
    validate_config(prepared)
    return prepared


def test_ray_accepts_the_cluster(cluster):
    assert accepted(cluster)["head_node_type"] == "head"
    with pytest.raises(jsonschema.ValidationError, match="gpus"):
        accepted(cluster | {"gpus": 4})


def test_each_pool_offers_what_only_its_stage_asks_for(cluster):
    offered = {name: kind["resources"] for name, kind in cluster["available_node_types"].items()}
    assert offered["head"] == {"CPU": 0}
    owners = {
        kind: [name for name, has in offered.items() if has.get(kind)]
        for kind in ("CPU", "GPU", "serve")
    }
    assert owners == {"CPU": ["cpu"], "GPU": ["gpu"], "serve": ["serve"]}


def test_the_cluster_is_closed(cluster):
    [head] = [line for line in cluster["head_start_ray_commands"] if "--head" in line]
    assert "--dashboard-host=127.0.0.1" in head
    starts = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in line for line in starts if "ray start" in line)
    assert "IpPermissions" not in cluster["provider"]["security_group"]
    assert "0.0.0.0" not in (ROOT / "cluster.yaml").read_text()


def test_the_cluster_has_this_version_of_ray(cluster):
    import ray

    image = f"rayproject/ray:{ray.__version__}-py311"
    assert cluster["docker"]["image"] == image
    kinds = cluster["available_node_types"]
    own = {name: kind["docker"]["worker_image"] for name, kind in kinds.items() if "docker" in kind}
    assert own == {"gpu": f"{image}-gpu"}
    assert any("-c constraints.txt" in line for line in cluster["setup_commands"])
    for name in MANIFESTS:
        assert f"rayVersion: {ray.__version__}\n" in (ROOT / name).read_text()


def test_no_work_on_the_head_and_a_token_on_kubernetes(kubernetes):
    assert kubernetes["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert kubernetes["authOptions"] == {"mode": "token"}
    groups = {group["groupName"]: group for group in kubernetes["workerGroupSpecs"]}
    if "gpu" in groups:
        assert groups["gpu"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "1"}
    for group in (kubernetes["headGroupSpec"], *groups.values()):
        [container] = group["template"]["spec"]["containers"]
        variant = "-gpu" if group.get("groupName") == "gpu" else ""
        assert container["image"] == f"REGISTRY/gtcoder:0.1.0{variant}"
        assert container["volumeMounts"][0]["mountPath"] == "/dev/shm"


def test_the_job_is_a_command_line():
    entrypoint = shlex.split(read("ray_jobs/rayjob.yaml")["spec"]["entrypoint"])
    assert entrypoint[:3] == ["python", "-m", "ray_jobs.train"]
    assert "--resume" in entrypoint, "it is run again after a failure"
    command = typer.main.get_command(app).commands["train"]
    command.make_context("train", entrypoint[3:])


def test_serve_accepts_the_service():
    from ray.serve.schema import ServeDeploySchema

    config = yaml.safe_load(read("serve/rayservice.yaml")["spec"]["serveConfigV2"])
    [application] = ServeDeploySchema.model_validate(config).applications
    assert application.import_path == "serve.app:build"
    assert set(config) <= set(ServeDeploySchema.model_fields)
