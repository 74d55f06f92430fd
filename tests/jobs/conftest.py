"""The command line, run in this process."""

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
