"""Tables with one rule of each kind, and tables with none."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

CITIES = [f"city{k}" for k in range(12)]


def _with_rules(rows: int, seed: int = 0) -> pa.Table:
    """A table with a rule of each kind, beside columns that have nothing to do with any."""
    rng = np.random.default_rng(seed)
    price = rng.lognormal(3, 1, rows).round(2)
    quantity = rng.integers(1, 20, rows)
    celsius = rng.normal(15, 8, rows).round(1)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D")
    nights = rng.geometric(0.2, rows)
    hour, minute = rng.integers(6, 23, rows), rng.integers(0, 60, rows)
    delay = rng.integers(-20, 200, rows)
    left = hour * 60 + minute + delay
    net, tax, shipping = (rng.integers(100, 10_000, rows) for _ in range(3))
    zipped = rng.integers(0, 40, rows)
    wed = rng.random(rows) < 0.6
    age = rng.integers(18, 90, rows)
    low = rng.normal(100, 20, rows)
    moment = pd.to_datetime(
        1_700_000_000 + 3600 * rng.integers(0, 24 * 300, rows), unit="s", utc=True
    )
    local = moment.tz_convert("Europe/Berlin")
    kind = rng.integers(0, 4, rows)
    spouse = np.where(wed, rng.normal(40, 9, rows).round(), np.nan)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=rows),
            "price": price,
            "quantity": quantity,
            "total": (price * quantity).round(2),
            "celsius": celsius,
            "fahrenheit": (1.8 * celsius + 32).round(2),
            "check_in": start.date,
            "nights": nights,
            "check_out": (start + pd.to_timedelta(nights, unit="D")).date,
            "sched": hour * 100 + minute,
            "hour": hour,
            "minute": minute,
            "delay": delay,
            "dep": left % 1440 // 60 * 100 + left % 60,
            "net": net,
            "tax": tax,
            "shipping": shipping,
            "gross": net + tax + shipping,
            "zip": [f"{10_000 + z}" for z in zipped],
            "city": [CITIES[z % 12] for z in zipped],
            "wed": np.where(wed, "yes", "no"),
            "spouse_age": spouse,
            "spouse_job": pd.Series(np.where(wed, rng.choice(list("abcd"), rows), None)),
            "age": age,
            "adult": np.where(age >= 65, "old", "middle"),
            "low": low,
            "high": low + rng.exponential(10, rows),
            "at": moment,
            "weekday": local.day_of_week,
            "at_hour": local.hour,
            **{
                f"is_{name}": (kind == k) for k, name in enumerate(("red", "green", "blue", "grey"))
            },
            "copy": price,
            "letter": rng.choice(list("uvwxyz"), rows),
        }
    )
    return pa.Table.from_pandas(frame, preserve_index=False)


def _without_rules(rows: int, columns: int, seed: int) -> pa.Table:
    """Columns of several kinds that have nothing to do with one another."""
    rng = np.random.default_rng(seed)
    found = {}
    for at in range(columns):
        match at % 6:
            case 0:
                found[f"c{at}"] = pa.array(rng.normal(size=rows))
            case 1:
                found[f"c{at}"] = pa.array(rng.integers(0, 10 ** (1 + at % 4), rows))
            case 2:
                found[f"c{at}"] = pa.array(rng.choice(list("abcdefgh"), rows))
            case 3:
                gone = rng.random(rows) < 0.2
                found[f"c{at}"] = pa.array(rng.normal(-5, 9, rows).round(2), mask=gone)
            case 4:
                found[f"c{at}"] = pa.array(rng.random(rows) < 0.4)
            case _:
                days = rng.integers(0, 3000, rows).astype("datetime64[D]")
                found[f"c{at}"] = pa.array(days)
    return pa.table(found)


@pytest.fixture(scope="session")
def with_rules():
    return _with_rules


@pytest.fixture(scope="session")
def without_rules():
    return _without_rules
