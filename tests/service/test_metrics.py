"""What Prometheus reads is there under the names and labels that the dashboard asks for."""

import json
import re
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.timeout(150)
BOARD = json.loads((Path(__file__).parents[2] / "serve" / "grafana.json").read_text())
METRICS = {"requests", "rows", "queue", "batch_requests", "batch_rows", "decode_seconds"}


def queries():
    asked = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    return [
        *asked,
        *(v["query"]["query"] for v in BOARD["templating"]["list"] if v["name"] == "model"),
    ]


def test_the_dashboard_asks_for_every_metric():
    asked = set(re.findall(r"ray_gtcoder_(\w+)", " ".join(queries())))
    assert {re.sub("_(total|bucket|sum|count)$", "", name) for name in asked} == METRICS


def test_what_it_asks_for_is_exported(ray_session, url, sample, wait_until):
    import ray

    assert sample(rows=10).status_code == 200
    (node,) = ray.nodes()
    address = f"http://127.0.0.1:{node['MetricsExportPort']}/metrics"

    def exported():
        """The labels of every series, by its name."""
        lines = re.findall(r"^(ray_gtcoder_\w+)\{(.*)\}", httpx.get(address).text, re.M)
        return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in lines}

    wait_until(lambda: "ray_gtcoder_queue" in exported(), 60)
    there = exported()
    for query in queries():
        labels = set(re.findall(r"(\w+)=~", query))
        labels |= set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query))))
        for name in re.findall(r"ray_gtcoder_\w+", query):
            assert name in there, query
            assert labels <= there[name], query
