"""What the user reads: one line for a mistake, help that names every option."""

import pytest

from gtcoder import __version__
from gtcoder.errors import ConfigError
from ray_jobs.cli.__main__ import main
from ray_jobs.cli.options import count_of, duration_s

TRAIN = (
    "--out --from --preset --schema --exclude --csv --epochs --max-time --num-workers --use-gpu "
    "--seed --validation-fraction --on-bad-file --address --wait --storage --resume "
    "--overwrite --quiet"
)
GENERATE = (
    "--rows --out --seed --rows-per-file --where --num-workers --use-gpu --address --wait "
    "--overwrite --quiet"
)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", TRAIN),
        ("generate", GENERATE),
        ("explain", "--out"),
        ("submit", "--address --follow --working-dir --env --runtime-env --driver-cpus"),
        ("jobs", "--address --json"),
        ("drift", "--bundle --threshold --json --exclude --csv --on-bad-file --wait --quiet"),
    ],
)
def test_help_names_every_option(run, command, options, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(command, "--help")
    assert code == 0
    for option in options.split():
        assert option in out


def test_the_version(run):
    assert run("--version") == (0, f"gtcoder {__version__}\n", "")


def test_help_lists_the_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    for command in ("train", "generate", "explain"):
        assert command in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "/nowhere", "--out", "{tmp}/b"], "no table: /nowhere: no such file or folder"),
        (["train", "{table}", "--out", "{bundle}"], "{bundle} exists; choose another place"),
        (["train", "{table}", "--out", "{tmp}/b", "--preset", "best"], "no preset 'best'"),
        (["train", "{table}", "--out", "{tmp}/b", "--max-time", "soon"], "--max-time 'soon'"),
        (["train", "{table}", "--out", "{tmp}/b", "--exclude", "colr"], "did you mean 'colour'?"),
        (["train", "{table}", "--out", "{tmp}/b", "--schema", "/no.json"], "--schema /no.json"),
        (["train", "{table}", "--out", "{tmp}/b", "--address", "ray://x:1"], "Ray Client cannot"),
        (
            ["train", "{table}", "--out", "s3", "--on-bad-file", "eat"],
            "--on-bad-file eat",
        ),
        (["train", "{table}", "--out", "s3", "--epochs", "0"], "--epochs 0: expected at least 1"),
        (["train", "{table}", "--out", "{tmp}/b", "--csv", "sep=ab"], "expected one character"),
        (["train", "{table}", "--out", "{tmp}/b", "--csv", "separator=,"], "expected sep, quote"),
        (["train", "nfs://t", "--out", "{tmp}/b"], "nfs://t: no such kind of storage"),
        (["generate", "/nowhere", "--rows", "1", "--out", "{tmp}/o"], "no bundle: /nowhere"),
        (["generate", "{table}", "--rows", "1", "--out", "{tmp}/o"], "is not a bundle"),
        (["generate", "{bundle}", "--rows", "many", "--out", "{tmp}/o"], "--rows 'many'"),
        (
            ["generate", "{bundle}", "--rows", "1", "--out", "{tmp}/o", "--where", "colour=pink"],
            "blue",
        ),
        (
            ["generate", "{bundle}", "--rows", "1", "--out", "{tmp}/o", "--where", "shade=pink"],
            "shade",
        ),
        (["explain", "/nowhere", "--out", "{tmp}/o"], "no bundle: /nowhere"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, message, tmp_path, table_folder, bundle_path):
    known = {"tmp": tmp_path, "table": table_folder, "bundle": bundle_path}
    code, out, err = run(*(argument.format(**known) for argument in arguments))
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message.format(**known) in err
    assert not list(tmp_path.iterdir())


def test_explain_writes_numbers_and_pictures(bundle_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gtcoder", "explain", bundle_path, "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "attention.png",
        "contributions.json",
        "dependence.png",
    ]
    said = capsys.readouterr().out
    assert "colour" in said
    assert "what columns tell of one another" in said


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2 m", 120)]
)
def test_durations(text, seconds):
    assert duration_s(text, "--wait") == seconds


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "-5m", "0s"])
def test_durations_that_are_none(text):
    with pytest.raises(ConfigError, match=r"--wait .*: expected a time such as"):
        duration_s(text, "--wait")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("10000", 10_000),
        ("10_000", 10_000),
        ("1,234,567", 1_234_567),
        (" 10k ", 10_000),
        ("10 K", 10_000),
        ("1.5M", 1_500_000),
        ("2b", 2_000_000_000),
        ("2G", 2_000_000_000),
        ("1e6", 1_000_000),
        ("-5", -5),
        ("0", 0),
    ],
)
def test_numbers_of_rows(text, rows):
    assert count_of(text, "--rows") == rows


@pytest.mark.parametrize(
    "text", ["", "k", "ten", "1.5", "0.0001k", "1,5M", "1,00", "10kk", "1e9999", "1e-3", "٣", "10%"]
)
def test_numbers_of_rows_that_are_none(text):
    with pytest.raises(ConfigError, match=r"^--rows .*: expected a whole number such as 10_000"):
        count_of(text, "--rows")
