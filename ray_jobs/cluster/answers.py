"""What a Ray Data task sends back: its result, or what the library found wrong, as a row.

An exception would reach the user wrapped in Ray's tracebacks; as a row it stays one clear line.
"""

import pickle
import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from gtcoder.errors import GTCoderError, OutputError
from gtcoder.progress import Stage, peak_bytes


def answered(work: Callable[[], bytes], *, rows: int) -> pa.Table:
    """The row of a task that did `work` for so many rows of its table."""
    result, error = b"", b""
    began = time.time()
    try:
        result = work()
    except GTCoderError as found:
        error = pickle.dumps(found)
    except OSError as found:
        error = pickle.dumps(OutputError(str(found)))
    ended = time.time()
    return pa.table(
        {
            "rows": pa.array([rows], pa.int64()),
            "result": pa.array([result], pa.large_binary()),
            "error": pa.array([error], pa.large_binary()),
            "peak_bytes": pa.array([peak_bytes()], pa.int64()),
            "began": pa.array([began]),
            "ended": pa.array([ended]),
            "busy_s": pa.array([ended - began]),
        }
    )


def merged(answers: pa.Table, *, merge: Callable[[list[Any]], Any]) -> pa.Table:
    """The answers of several tasks as one: the first error among them, or all results merged."""
    each = answers.to_pylist()
    wrong = next((row["error"] for row in each if row["error"]), b"")

    def together() -> bytes:
        if wrong:
            raise pickle.loads(wrong)
        return pickle.dumps(merge([pickle.loads(row["result"]) for row in each]))

    [one] = answered(together, rows=sum(row["rows"] for row in each)).to_pylist()
    one |= {
        "peak_bytes": max(one["peak_bytes"], *(row["peak_bytes"] for row in each)),
        "began": min(row["began"] for row in each),
        "busy_s": one["busy_s"] + sum(row["busy_s"] for row in each),
    }
    return pa.Table.from_pylist([one], answers.schema)


def opened(row: Mapping[str, Any], stage: Stage) -> bytes:
    """The result in a task's row.

    Raises:
        GTCoderError: what the task found wrong.
    """
    stage.saw_memory(row["peak_bytes"])
    stage.saw_work(row["began"], row["ended"], row["busy_s"])
    if row["error"]:
        raise pickle.loads(row["error"])
    result: bytes = row["result"]
    return result
