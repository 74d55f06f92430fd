"""The command line, run in this process."""

import shutil

import pytest

from ray_jobs.cli.__main__ import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Exit code, standard output and standard error of a command line."""

    def start(*arguments):
        monkeypatch.setattr("sys.argv", ["gtcoder", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return start


@pytest.fixture
def damaged_within(table_folder, tmp_path):
    """The table with a file whose footer is whole and whose values are not."""
    folder = tmp_path / "damaged"
    shutil.copytree(table_folder, folder)
    path = folder / "month=3" / "part.parquet"
    content = bytearray(path.read_bytes())
    content[40:2_000] = b"?" * 1_960
    path.write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def catalog(tmp_path_factory):
    """Described in the environment, which pyiceberg reads once, on import."""
    folder = tmp_path_factory.mktemp("iceberg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYICEBERG_CATALOG__LOCAL__URI", f"sqlite:///{folder}/catalog.db")
        patch.setenv("PYICEBERG_CATALOG__LOCAL__WAREHOUSE", f"file://{folder}/warehouse")
        yield "local"
