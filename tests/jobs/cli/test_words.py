"""Options in messages: the library says them in Python's words, the command line in its own."""

import ast
import re
from pathlib import Path

import pytest
import typer.main

import gtcoder
from ray_jobs.cli.__main__ import app
from ray_jobs.cli.words import FLAGS, in_flags

LIBRARY = Path(gtcoder.__file__).parent
ANY_OPTION = re.compile(r"`([a-z_]+)=")
ANY_FLAG = re.compile(r"(?<![\w;{(-])--[a-z]")


def messages():
    """Every text in the library's code that is no docstring, with the file it is in."""
    for path in sorted(LIBRARY.rglob("*.py")):
        tree = ast.parse(path.read_text())
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in told:
                yield path.relative_to(LIBRARY), str(node.value)


def flags(command):
    """All options of a command and those below it."""
    found = {name for each in command.params for name in each.opts}
    return found.union(*map(flags, getattr(command, "commands", {}).values()))


def test_the_library_names_no_flag():
    named = [(path, text) for path, text in messages() if ANY_FLAG.search(text)]
    styles = Path("evaluation/report/style.py")  # CSS has properties of that look
    assert [(path, text) for path, text in named if path != styles] == []


def test_every_option_that_the_library_names_is_one_of_the_command_line():
    named = {name for _, text in messages() for name in ANY_OPTION.findall(text)}
    assert named >= {"exclude", "overwrite", "csv", "schema", "rule_tolerance"}
    assert named <= set(FLAGS)
    assert set(FLAGS.values()) <= flags(typer.main.get_command(app))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("exists; add `overwrite=True`", "exists; add --overwrite"),
        ("leave it out with `exclude=['zip code']`", "leave it out with --exclude 'zip code'"),
        ("`rows=5`: expected at least 50", "--rows 5: expected at least 50"),
        ("its kind with `schema=`", "its kind with --schema"),
        ("say `csv='null=NA|-'`, or not", "say --csv 'null=NA|-', or not"),
        ("`preset=` does not go with `base=`", "--preset does not go with --from"),
        ("`rule_tolerance=0.7`: expected", "--rule-tolerance 0.7: expected"),
        ("rule '`a=b` <= `dep time`' cannot be kept", "rule '`a=b` <= `dep time`' cannot be kept"),
        ("100 % are `seed`s", "100 % are `seed`s"),
    ],
)
def test_an_option_as_a_flag(said, told):
    assert in_flags(said) == told
