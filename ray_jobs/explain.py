"""The explanation job: the contributions measured at the end of training, as JSON and a picture."""

import json

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError
from gtcoder.explain import Explanation, heat_map
from gtcoder.progress import Reporter, counted
from gtcoder.table.files import join, write_bytes

CONTRIBUTIONS, PICTURE = "contributions.json", "attention.png"


def run_explanation(bundle: str, out: str, reporter: Reporter) -> None:
    """Write what the bundle knows of its columns' contributions.

    Raises:
        GTCoderError: there is no bundle, it has no attention, or the output cannot be written.
    """
    loaded = Bundle.load(bundle)
    try:
        explanation = Explanation.from_dict(loaded.explanation)
    except ConfigError as error:
        raise ConfigError(f"{bundle}: {error}") from error
    try:
        rules = {name: str(rule) for name, rule in loaded.codec.rules.derived.items()}
        plain = explanation.to_dict() | {"derived": rules}
        text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
        write_bytes(join(out, CONTRIBUTIONS), text.encode())
        heat_map(explanation, join(out, PICTURE))
    except OSError as error:
        raise OutputError(str(error)) from error
    for line in str(explanation).splitlines()[:10]:
        reporter.note(line)
    for rule in dict.fromkeys(rules.values()):
        reporter.note(f"        {rule}")
    told = counted(len(explanation.contributions), "column")
    reporter.result(f"contributions of {told}: {join(out, CONTRIBUTIONS)}, {PICTURE}")
