"""A run is resumed by the command that began it, or not at all."""

import pytest

from gtcoder.errors import OutputError
from gtcoder.table.files import exists, names, write_bytes
from ray_jobs.training.run_folder import begin, prepare, run_folder, save_json

REQUEST = {"table": "t", "table_fingerprint": "1", "seed": 1, "exclude": ["a"]}


def test_where_it_is(tmp_path):
    assert run_folder(str(tmp_path / "b"), None) == str(tmp_path / "b.run")
    assert run_folder("s3://models/claims/", None) == "s3://models/claims.run"
    assert run_folder("s3://models/claims", str(tmp_path)) == str(tmp_path / "claims.run")


def test_begin_and_go_on(tmp_path):
    folder = str(tmp_path / "b.run")
    assert not prepare(folder, REQUEST, resume=False, overwrite=False)
    begin(folder, REQUEST)
    assert prepare(folder, REQUEST, resume=True, overwrite=False)
    assert prepare(folder, REQUEST, resume=True, overwrite=True)


def test_resume_with_nothing_to_resume_begins(tmp_path):
    assert not prepare(str(tmp_path / "b.run"), REQUEST, resume=True, overwrite=False)


def test_an_interrupted_run_is_not_lost_unasked(tmp_path):
    folder = str(tmp_path / "b.run")
    begin(folder, REQUEST)
    with pytest.raises(OutputError, match=r"did not end; add --resume .* --overwrite to begin"):
        prepare(folder, REQUEST, resume=False, overwrite=False)
    assert not prepare(folder, REQUEST, resume=False, overwrite=True)
    assert not names(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 2}, r"another seed \(it was 1\)"),
        ({"exclude": []}, r"another exclude \(it was \['a'\]\)"),
        ({"table_fingerprint": "2"}, "another content of the table; give the same"),
    ],
)
def test_another_request_is_not_resumed(tmp_path, changed, message):
    folder = str(tmp_path / "b.run")
    begin(folder, REQUEST)
    with pytest.raises(OutputError, match=message):
        prepare(folder, REQUEST | changed, resume=True, overwrite=False)


def test_a_run_of_another_format_is_not_resumed(tmp_path):
    folder = str(tmp_path / "b.run")
    save_json(folder, "run.json", REQUEST)
    with pytest.raises(OutputError, match=r"an earlier version, whose checkpoints have format 0"):
        prepare(folder, REQUEST, resume=True, overwrite=False)


def test_a_foreign_folder_is_left_alone(tmp_path):
    write_bytes(tmp_path / "b.run" / "thesis.tex", b"")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="exists and is not a training"):
            prepare(str(tmp_path / "b.run"), REQUEST, resume=False, overwrite=overwrite)
    assert exists(tmp_path / "b.run" / "thesis.tex")
