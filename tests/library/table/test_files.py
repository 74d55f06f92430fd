"""Files that are seen are whole, and errors name the file."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gtcoder.table.files import (
    absolute,
    beside,
    exists,
    is_local,
    join,
    list_files,
    names,
    open_read,
    open_write,
    read_bytes,
    remove,
    remove_leftovers,
    resolve,
    swap,
    write_bytes,
)


def test_paths_and_file_uris_are_the_same_place(tmp_path):
    assert resolve(tmp_path)[1] == str(tmp_path)
    assert resolve(f"file://{tmp_path}")[1] == str(tmp_path)
    assert is_local(tmp_path)
    assert is_local(f"file://{tmp_path}")
    assert not is_local("s3://bucket/key")
    assert resolve("s3://bucket/key")[1] == "bucket/key"


def test_absolute_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("a/b") == str(tmp_path / "a" / "b")
    assert absolute("s3://bucket/a/b") == "s3://bucket/a/b"


def test_unknown_storage_is_one_clear_line():
    with pytest.raises(OSError, match="nowhere://x: no such kind of storage; use a local path"):
        resolve("nowhere://x")


def test_write_read_list_remove(tmp_path):
    folder = str(tmp_path / "new")
    write_bytes(join(folder, "b/c"), b"123")
    write_bytes(join(folder, "a"), b"")
    assert list_files(folder) == {"a": 0, "b/c": 3}
    assert read_bytes(join(folder, "b/c")) == b"123"
    with open_read(join(folder, "b/c")) as file:
        file.seek(1)
        assert file.read() == b"23"
    write_bytes(join(folder, "a"), b"replaced")
    assert read_bytes(join(folder, "a")) == b"replaced"
    remove(join(folder, "a"))
    assert not exists(join(folder, "a"))
    remove(folder)
    remove(folder)
    assert not exists(folder)
    assert list_files(folder) == {}


def test_an_interrupted_write_leaves_the_old_file_and_no_draft(tmp_path):
    write_bytes(tmp_path / "a", b"old")

    def interrupted():
        with open_write(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list_files(tmp_path) == {"a": 3}


def test_leftovers_of_a_killed_process_go(tmp_path):
    beside(tmp_path / "part").write_bytes(b"half")
    beside(tmp_path / "folder").mkdir()
    (beside(tmp_path / "folder") / "x").parent.mkdir()
    write_bytes(tmp_path / "part", b"whole")
    write_bytes(join(beside(tmp_path / "other"), "x"), b"half")
    remove_leftovers(tmp_path)
    assert "part" in os.listdir(tmp_path)
    assert list_files(tmp_path) == {"part": 5}


def test_missing_and_denied_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^/nowhere/x: no such file or folder$"):
        read_bytes("/nowhere/x")
    with pytest.raises(OSError, match=f"^{tmp_path}: Is a directory$"):
        read_bytes(tmp_path)
    Path(tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file/below: a file is in the way"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_names_are_of_what_is_directly_there(tmp_path):
    write_bytes(tmp_path / "a" / "b", b"")
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == {"a", "empty"}
    assert names(tmp_path / "nothing") == set()


def test_a_file_is_swapped_only_for_what_was_expected(tmp_path):
    path = tmp_path / "folder" / "file"
    assert not swap(path, b"1", b"2")
    assert swap(path, None, b"1")
    assert not swap(path, None, b"2")
    assert not swap(path, b"0", None)
    assert read_bytes(path) == b"1"
    assert swap(path, b"1", b"2")
    write_bytes(tmp_path / "folder" / "other", b"")
    assert swap(path, b"2", None)
    assert names(tmp_path / "folder") == {"other"}
    remove(tmp_path / "folder" / "other")
    assert swap(path, None, None, folder=True)
    assert not exists(tmp_path / "folder")


def test_of_many_who_swap_at_once_one_succeeds(tmp_path):
    def count(number):
        path = tmp_path / "folder" / "count"
        while not swap(
            path, old := read_bytes(path) if exists(path) else None, (old or b"") + b"x"
        ):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(80)))
    assert read_bytes(tmp_path / "folder" / "count") == b"x" * 80
