"""Who works in a folder: one at a time, known to be dead or alive, by its file alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from gtcoder.errors import OutputError
from gtcoder.table.files import exists, is_local, join, names, read_bytes, write_bytes
from ray_jobs import owner
from ray_jobs.owner import OWNER, Owner, owned

OTHER = {"machine": "another one", "host": "far", "user": "anna"}


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "place")
    return f"{request.getfixturevalue('s3')}/owner/{tmp_path.name}"


@pytest.fixture
def quick(monkeypatch):
    for name, seconds in (("BEAT_S", 0.2), ("STALE_S", 2.0), ("_SETTLE_S", 0.3), ("_LOOK_S", 0.05)):
        monkeypatch.setattr(owner, name, seconds)


def put(place, **changed):
    """The file of an owner that does nothing more."""
    write_bytes(join(place, OWNER), replace(Owner(work="training"), **changed).content)


def test_the_second_is_told_who_is_there_and_nothing_stays(place, quick, reporter):
    with owned(place, "training", reporter):
        first = read_bytes(join(place, OWNER))
        with (
            pytest.raises(OutputError, match=rf"^{place} is in use: a training by .* \(process "),
            owned(place, "training", reporter),
        ):
            pass
        time.sleep(0.5)
        assert json.loads(first)["seen"] < json.loads(read_bytes(join(place, OWNER)))["seen"]
    assert not exists(place)


def test_one_whose_process_died_here_is_taken_over_at_once(tmp_path, reporter):
    place = str(tmp_path / "place")
    code = (
        "from ray_jobs.owner import owned; from gtcoder.progress import Reporter; import sys\n"
        "with owned(sys.argv[1], 'training', Reporter()): print('in', flush=True); input()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, place],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "in\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert names(place) == {OWNER}
    began = time.monotonic()
    with owned(place, "training", reporter):
        assert time.monotonic() - began < owner.BEAT_S


def test_one_of_another_machine_is_watched(place, quick, reporter):
    put(place, **OTHER)
    began = time.monotonic()
    with owned(place, "training", reporter):
        assert time.monotonic() - began >= owner.STALE_S
    ended = threading.Event()

    def beat():
        while not ended.wait(0.2):
            put(place, **OTHER, seen=time.time(), job="train-1")

    put(place, **OTHER)
    beating = threading.Thread(target=beat)
    beating.start()
    with (
        pytest.raises(OutputError, match=r"by anna on far .*gtcoder stop train-1"),
        owned(place, "training", reporter),
    ):
        pass
    ended.set()
    beating.join()
    assert names(place) == {OWNER}


def test_a_damaged_file_is_no_owner_for_ever(place, quick, reporter):
    write_bytes(join(place, OWNER), b"{")
    with owned(place, "training", reporter):
        assert Owner.read(read_bytes(join(place, OWNER))).process == os.getpid()


def test_whoever_was_silent_too_long_stops(place, quick, reporter):
    def work():
        with owned(place, "training", reporter):
            put(place, **OTHER)
            with pytest.raises(KeyboardInterrupt):
                time.sleep(20)

    with pytest.raises(OutputError, match=f"{place} was taken over by another"):
        work()
    assert Owner.read(read_bytes(join(place, OWNER))).host == "far"


def test_of_many_at_once_one_takes_over(place, quick, reporter):
    """Also where the object store knows no conditions, as the one here."""
    put(place, machine=owner._machine(), process=2**22, started="1")
    taken, refused, go = [], [], threading.Event()

    def take():
        go.wait()
        try:
            with owned(place, "training", reporter):
                time.sleep(1.5)
            taken.append(threading.current_thread().name)
        except OutputError:
            refused.append(threading.current_thread().name)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    if is_local(place):  # a store without conditions may keep what one of the refused wrote late
        assert not exists(place)
