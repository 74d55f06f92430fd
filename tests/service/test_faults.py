"""What survives: too many requests, a dead replica, a new bundle, clients that do not read."""

import os
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from gtcoder.bundle import Bundle
from gtcoder.client import Client
from gtcoder.synthesizer import Synthesizer

pytestmark = pytest.mark.timeout(200)
KEY = "the-key-of-these-tests"


@pytest.fixture
def replicas(url, replicas_below):
    """Process ids of the replicas."""
    return lambda: replicas_below(os.getpid())


def test_over_the_limit_there_is_a_clean_refusal_and_then_all_is_well(sample):
    with ThreadPoolExecutor(96) as pool:
        wanted = {"rows": 2_000, "where": ["size>=9"]}
        answers = list(pool.map(lambda seed: sample(seed=seed, **wanted), range(96)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}, statuses
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"]
    assert refused.json()["title"] == "Service is full"
    assert sample(rows=10).status_code == 200


@pytest.mark.parametrize("rows", [200, 60_000], ids=["small", "streamed"])
def test_a_replica_that_is_killed_is_replaced_and_the_client_asks_again(
    url, replicas, repeated, wait_until, rows
):
    with Client(url, key=KEY) as client:
        wanted = client.sample_arrow("claims", rows, seed=3)
        with repeated(lambda: client.sample_arrow("claims", rows, seed=3).equals(wanted)) as load:
            wait_until(lambda: load.gave[True] > 5)
            before = replicas()
            os.kill(min(before), signal.SIGKILL)
            wait_until(lambda: len(now := replicas()) == 2 and now != before)
            seen = load.gave[True]
            wait_until(lambda: load.gave[True] > seen + 10)
    assert set(load.gave) == {True}


def test_a_bundle_that_is_replaced_is_found_without_a_lost_request(
    sample, http, repeated, other_bundle_path, make_rows, wait_until
):
    first = http.get("/v1/models/other").json()["checksum"]
    second = Synthesizer(preset="paper", epochs=1, exclude=["count"], seed=9).fit(make_rows(300, 6))
    with repeated(lambda: sample("other", rows=50).status_code, threads=2) as load:
        wait_until(lambda: load.gave[200] > 3)
        second.save(other_bundle_path, overwrite=True)
        checksum = Bundle.load(other_bundle_path).checksum

        def found():  # by every replica
            answers = [sample("other", rows=50) for _ in range(8)]
            return {answer.headers["GTCoder-Checksum"] for answer in answers} == {checksum}

        wait_until(found)
    assert checksum != first
    assert set(load.gave) == {200}, load.gave


def test_a_new_configuration_takes_effect_in_place(
    sample, replicas, repeated, deploy, bundle_path, wait_until
):
    before = replicas()
    assert sample("third", rows=1).status_code == 404
    with repeated(lambda: sample(rows=50).status_code, threads=2) as load:
        deploy(third=bundle_path)
        wait_until(lambda: sample("third", rows=1).status_code == 200)
        deploy()
        wait_until(lambda: sample("third", rows=1).status_code == 404)
    assert set(load.gave) == {200}, load.gave
    assert replicas() == before


def stalled(url):
    """A client that asks for much and never reads."""
    host, port = url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    client.connect((host, int(port)))
    body = b'{"rows":150000}'  # about 8 MB: the system's own buffers hold 4
    head = (
        f"POST /v1/models/claims/sample HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    client.sendall(head.encode() + body)
    return client


def test_clients_that_never_read_hold_only_so_much_and_are_forgotten(url, sample, wait_until):
    large = {"rows": 150_000, "accept": "application/x-ndjson"}
    with ExitStack() as clients:

        def full():
            clients.enter_context(stalled(url))
            return all(sample(**large).status_code == 503 for _ in range(4))  # every replica

        wait_until(full, 120)
        refused = sample(**large)
        assert (refused.status_code, "on its way" in refused.text) == (503, True), refused.text
        assert sample(rows=10).status_code == 200
    wait_until(lambda: sample(**large).status_code == 200, 60)


def test_clients_that_leave_free_their_work(http, url, sample):
    for _ in range(20):
        path, body = "/v1/models/claims/sample", {"rows": 100_000, "where": ["size>=9"]}
        with http.stream("POST", path, json=body, headers={"Accept": "text/csv"}) as answer:
            next(answer.iter_raw())
    started = time.monotonic()
    assert sample(rows=10).status_code == 200
    assert time.monotonic() - started < 20  # all of it would take minutes
