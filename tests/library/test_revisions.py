"""A place always holds a whole bundle; what is replaced stays until nobody reads it any more."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from gtcoder import revisions
from gtcoder.errors import BundleError, OutputError
from gtcoder.revisions import (
    FILES,
    FORMAT_VERSION,
    INDEX,
    check_target,
    checksums_of,
    of_all,
    point_back,
    read,
    read_index,
    write,
    written,
)


def contents(text):
    return {name: f"{name} of {text}".encode() for name in FILES}


def checksum(text):
    return of_all(checksums_of(contents(text)))


def folder(text):
    return checksum(text)[:16]


@pytest.fixture
def place(tmp_path):
    """Where revisions are written by one letter each."""
    place = tmp_path / "b"

    def put(texts):
        for text in texts:
            write(place, contents(text), {"text": text})
        return place

    return put


def names(place):
    return {path.name for path in place.iterdir()}


def test_the_last_written_counts_and_those_before_can_be_read(place):
    b = place("AB")
    assert read(b).contents == contents("B")
    assert read(b, checksum("A")).contents == contents("A")
    assert read(b / folder("A")).contents == contents("A")
    assert read(b).index["info"] == {"text": "B"}
    with pytest.raises(BundleError, match=rf"another bundle .* \(its checksum is {checksum('B')}"):
        read(b, checksum("C"))


def test_the_pointer_alone_decides(place, monkeypatch):
    """A writer that ends anywhere before its last write has changed nothing."""
    b = place("A")
    whole = revisions.write_bytes
    for most in range(len(FILES) + 2):
        left = iter(range(most))

        def broken(uri, content, left=left):
            if next(left, None) is None:
                raise OSError("no room")
            whole(uri, content)

        monkeypatch.setattr(revisions, "write_bytes", broken)
        with pytest.raises(OSError, match="no room"):
            place("B")
        assert read(b).contents == contents("A")
    monkeypatch.setattr(revisions, "write_bytes", whole)
    assert read(place("B")).contents == contents("B")


def test_a_revision_knows_when_it_was_written(place):
    before = datetime.now(UTC).replace(microsecond=0)
    b = place("A")
    first = written(b)
    assert before <= first <= datetime.now(UTC)
    place("B")
    point_back(b)
    assert written(b) == first  # whenever it came to count
    index = b / folder("A") / INDEX
    index.write_text(
        json.dumps({k: v for k, v in read_index(b / folder("A")).items() if k != "written"})
    )
    assert written(b) == datetime.fromtimestamp(index.stat().st_mtime, UTC)


def test_going_back_and_forth(place):
    b = place("ABC")
    assert point_back(b) == checksum("B")
    assert read(b).contents == contents("B")
    assert point_back(b) == checksum("C")
    assert point_back(b, checksum("A")[:6]) == checksum("A")
    assert read(b).contents == contents("A")
    there = f"{folder('C')}, {folder('B')}"
    with pytest.raises(BundleError, match=f"no such earlier bundle to go back to; .*: {there}$"):
        point_back(b, "no")
    with pytest.raises(BundleError, match="no bundle"):
        point_back(b / "nowhere")


def test_nothing_is_gone_back_to_that_is_damaged(place):
    b = place("AB")
    (b / folder("A") / "codec.json").write_bytes(b"")
    with pytest.raises(BundleError, match=r"codec\.json has been altered"):
        point_back(b)
    assert read(b).contents == contents("B")


def test_within_a_day_nothing_is_removed(place):
    b = place("ABCD")
    assert names(b) == {INDEX, *map(folder, "ABCD")}


def test_after_that_the_one_that_counts_and_the_one_before_it_stay(place, monkeypatch):
    b = place("AB")
    (b / "0123456789abcdef").mkdir()
    (b / "0123456789abcdef" / "codec.json").touch()  # of a writer that was killed
    (b / ".bundle.json.0123.tmp").touch()
    (b / "notes.txt").touch()
    monkeypatch.setattr(revisions, "KEPT", timedelta(0))
    place("C")
    assert names(b) == {INDEX, "notes.txt", *map(folder, "BC")}
    assert point_back(b) == checksum("B")
    assert names(b) == {INDEX, "notes.txt", *map(folder, "BC")}


def test_what_is_young_may_be_another_writers(place):
    b = place("A")
    pointer = (b / INDEX).read_bytes()
    place("B")
    (b / INDEX).write_bytes(pointer)  # of one that knew nothing of the other
    place("C")
    assert folder("B") in names(b)


@pytest.fixture
def flat(place, tmp_path):
    """A bundle without a pointer: a folder of files."""
    shutil.move(place("A") / folder("A"), tmp_path / "flat")
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "flat").rename(tmp_path / "b")
    for path in (tmp_path / "b").iterdir():
        os.utime(path, (0, 0))
    assert names(tmp_path / "b") == {INDEX, *FILES}
    return tmp_path / "b"


def test_files_alone_are_read_replaced_and_gone_back_to(flat, place, monkeypatch):
    assert read_index(flat)["format_version"] == FORMAT_VERSION
    assert read(flat).contents == read(flat, checksum("A")).contents == contents("A")
    with pytest.raises(BundleError, match=r"no such earlier bundle to go back to; .*none"):
        point_back(flat)
    assert names(flat) == {INDEX, *FILES}
    place("B")
    assert names(flat) >= {INDEX, *FILES}  # who began to read them goes on
    assert read(flat).contents == contents("B")
    assert read(flat, checksum("A")).contents == contents("A")
    assert point_back(flat) == checksum("A")
    monkeypatch.setattr(revisions, "KEPT", timedelta(0))
    place("C")
    assert names(flat) == {INDEX, *map(folder, "AC")}


def test_a_damaged_bundle_is_replaced(flat, place):
    (flat / "codec.json").unlink()
    assert read(place("B")).contents == contents("B")
    assert json.loads((flat / INDEX).read_text())["before"] == []


def test_a_storage_that_does_not_answer_is_not_an_empty_one(place, monkeypatch):
    """Else those before would go: no pointer would name them."""
    b = place("AB")
    before = (b / INDEX).read_bytes()

    def silent(uri):
        raise TimeoutError(f"{uri}: timed out")

    with monkeypatch.context() as broken:
        broken.setattr(revisions, "read_bytes", silent)
        with pytest.raises(OSError, match="timed out"):
            place("C")
    assert (b / INDEX).read_bytes() == before


def test_what_broke_off_is_nothing_and_what_is_foreign_stays(place, tmp_path):
    b = place("A")
    with pytest.raises(OutputError, match="add `overwrite=True`"):
        check_target(b, overwrite=False)
    check_target(b, overwrite=True)
    (b / INDEX).unlink()
    (b / folder("A") / ".codec.json.0123.tmp").touch()
    check_target(b, overwrite=False)
    (b / "0123456789abcdef.txt").touch()
    with pytest.raises(OutputError, match="exists and is not a bundle"):
        check_target(b, overwrite=True)
    with pytest.raises(OutputError, match="exists and is not a bundle"):
        check_target(b / "0123456789abcdef.txt", overwrite=True)
