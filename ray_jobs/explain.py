"""The explanation job: the contributions measured at the end of training, as JSON and a picture."""

import json

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError
from gtcoder.explain import Explanation, heat_map
from gtcoder.progress import Reporter
from gtcoder.table.files import join, write_bytes

CONTRIBUTIONS, PICTURE = "contributions.json", "attention.png"


def run_explanation(bundle: str, out: str, reporter: Reporter) -> None:
    """Write what the bundle knows of its columns' contributions.

    Raises:
        GTCoderError: there is no bundle, it has no attention, or the output cannot be written.
    """
    try:
        explanation = Explanation.from_dict(Bundle.load(bundle).explanation)
    except ConfigError as error:
        raise ConfigError(f"{bundle}: {error}") from error
    try:
        text = json.dumps(explanation.to_dict(), indent=1, ensure_ascii=False) + "\n"
        write_bytes(join(out, CONTRIBUTIONS), text.encode())
        heat_map(explanation, join(out, PICTURE))
    except OSError as error:
        raise OutputError(str(error)) from error
    shares = sorted(explanation.contributions.items(), key=lambda item: -item[1])
    for name, share in shares[:10]:
        reporter.note(f"{share:6.1%}  {name}")
    reporter.result(
        f"contributions of {len(shares)} columns: {join(out, CONTRIBUTIONS)}, {PICTURE}"
    )
