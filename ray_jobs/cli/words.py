"""What the library says in Python's words, as it is said on the command line.

In the library's messages an option stands between backticks as a Python caller writes it:
`overwrite=True`, `exclude=['zip']`, or `schema=` where the value is the user's. Here it becomes
`--overwrite`, `--exclude zip`, `--schema`.
"""

import ast
import re
import shlex

from gtcoder.progress import Reporter

FLAGS = {
    "base": "--from",
    "csv": "--csv",
    "data": "--data",
    "epochs": "--epochs",
    "exclude": "--exclude",
    "max_time_s": "--max-time",
    "max_rows": "--max-rows",
    "min_category_rows": "--min-category-rows",
    "num_workers": "--num-workers",
    "on_bad_file": "--on-bad-file",
    "overwrite": "--overwrite",
    "preset": "--preset",
    "rows": "--rows",
    "rule_tolerance": "--rule-tolerance",
    "schema": "--schema",
    "seed": "--seed",
    "validation_fraction": "--validation-fraction",
}
"""The command line's names of Python's parameters."""
OPTION = re.compile(rf"`({'|'.join(FLAGS)})=([^`]*)`")


def in_flags(text: str) -> str:
    """A message of the library with the command line's names of options."""
    return OPTION.sub(lambda match: " ".join([FLAGS[match[1]], *_values(match[2])]), text)


class CommandReporter(Reporter):
    """Tells what happens with the command line's names of options."""

    def note(self, text: str) -> None:
        """Something worth knowing."""
        super().note(in_flags(text))

    def warn(self, text: str) -> None:
        """Something the user may want to change."""
        super().warn(in_flags(text))


def _values(written: str) -> list[str]:
    """A value that was written for Python as a shell takes it; nothing for True and for none."""
    try:
        value = ast.literal_eval(written)
    except (SyntaxError, ValueError):
        return [written] if written else []
    values = value if isinstance(value, list) else [value]
    return [shlex.quote(str(each)) for each in values if each is not True]
