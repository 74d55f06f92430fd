"""The explanation job: what was measured at the end of training, as JSON and pictures."""

import json

from gtcoder.bundle import Bundle
from gtcoder.dependence import dependence_map
from gtcoder.errors import ConfigError, OutputError
from gtcoder.explain import Explanation, heat_map
from gtcoder.progress import Reporter, counted
from gtcoder.table.files import join, write_bytes

CONTRIBUTIONS, ATTENTION, DEPENDENCE = "contributions.json", "attention.png", "dependence.png"
_SHOWN = 10


def run_explanation(bundle: str, out: str, reporter: Reporter) -> None:
    """Write what the bundle knows of its columns' contributions and dependence.

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
        heat_map(explanation, join(out, ATTENTION))
        if explanation.dependence is not None:
            dependence_map(explanation.dependence, join(out, DEPENDENCE))
    except OSError as error:
        raise OutputError(str(error)) from error
    reporter.note("how much the model reads each column:")
    for line in str(explanation).splitlines()[:_SHOWN]:
        reporter.note(line)
    for rule in dict.fromkeys(rules.values()):
        reporter.note(f"        {rule}")
    if explanation.dependence is not None:
        reporter.note("what columns tell of one another beyond what all others tell, nats:")
        for line in str(explanation.dependence).splitlines()[:_SHOWN]:
            reporter.note(line)
    told = counted(len(explanation.contributions), "column")
    pictures = [ATTENTION, *([] if explanation.dependence is None else [DEPENDENCE])]
    reporter.result(f"contributions of {told}: {join(out, CONTRIBUTIONS)}, {', '.join(pictures)}")
