"""A table to try things on: the orders of a shop that does not exist, made from a seed.

It has a column of nearly every kind, and rules between columns that hold in every row.
"""

import numpy as np
import pandas as pd

from gtcoder.errors import ConfigError

_CITIES = {
    "Lisbon": "Portugal", "Porto": "Portugal", "Madrid": "Spain", "Seville": "Spain",
    "Valencia": "Spain", "Paris": "France", "Lyon": "France", "Rome": "Italy", "Turin": "Italy",
    "Vienna": "Austria", "Graz": "Austria", "Prague": "Czechia",
}  # fmt: skip
_CITY_SHARES = (11, 6, 16, 6, 7, 17, 6, 12, 5, 7, 3, 4)
_PRODUCTS = {
    "novel": ("books", 14), "atlas": ("books", 45), "headphones": ("electronics", 90),
    "phone": ("electronics", 420), "lamp": ("home", 38), "chair": ("home", 120),
    "kettle": ("home", 30), "tent": ("outdoors", 160), "bottle": ("outdoors", 18),
}  # fmt: skip
_PRODUCT_SHARES = np.array([20, 6, 14, 10, 12, 8, 11, 7, 12])
_REMARKS = (
    "Please ring twice, the bell is hard to hear.",
    "It is a present, so no invoice in the parcel, thank you.",
    "The neighbour on the second floor takes it if nobody is at home.",
    "Last time the box was open when it came, please tape it well.",
)
_START = np.datetime64("2025-01-01T00:00:00")


def orders(rows: int = 5_000, *, seed: int = 0) -> pd.DataFrame:
    """Orders of 2025, one a row; the same seed gives the same table.

    A city lies in one country and a product is of one category, `total = unit_price * quantity`,
    `delivered_on` is missing exactly where `status` is not delivered or returned, and never before
    `ordered_at`. `order_id` counts, `email` names somebody who does not exist, `comment` is prose.

    Raises:
        ConfigError: the number of rows is below 1.
    """
    if rows < 1:
        raise ConfigError(f"rows must be at least 1, not {rows}")
    rng = np.random.default_rng(seed)
    age = (18 + 72 * rng.beta(1.8, 3.2, rows)).astype(int)
    city = rng.choice(list(_CITIES), rows, p=_shares(_CITY_SHARES))
    product = _product(rng, age)
    price = np.array([_PRODUCTS[name][1] for name in product]) * rng.lognormal(0, 0.12, rows)
    price = price.round(2)
    quantity = 1 + rng.poisson(np.where(price < 50, 0.9, 0.15))
    total = (price * quantity).round(2)
    express = rng.random(rows) < 0.12 + 0.25 * (total > 200)
    ordered = _moments(rng, rows)
    days = 1 + rng.poisson(np.where(express, 0.4, 3.5))
    status = _status(rng, days)
    arrived = np.isin(status, ["delivered", "returned"])
    delivered = ordered.astype("datetime64[D]") + days
    rating = 5 - rng.poisson(0.25 + 0.12 * days + 1.5 * (status == "returned"))
    rated = arrived & (rng.random(rows) < 0.6)
    remarked = rng.random(rows) < 0.3
    return pd.DataFrame(
        {
            "order_id": np.arange(1, rows + 1),
            "email": _emails(rng, rows),
            "age": age,
            "city": city,
            "country": [_CITIES[name] for name in city],
            "product": product,
            "category": [_PRODUCTS[name][0] for name in product],
            "unit_price": price,
            "quantity": quantity,
            "total": total,
            "express": express,
            "ordered_at": ordered,
            "status": status,
            "delivered_on": pd.Series(delivered.astype(object)).where(arrived, None),
            "rating": pd.Series(rating.clip(1, 5), dtype="Int64").where(rated),
            "comment": pd.Series(_comments(rng, rows)).where(remarked),
        }
    )


def _shares(weights: tuple[int, ...] | np.ndarray) -> np.ndarray:
    return np.asarray(weights) / np.sum(weights)


def _product(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    """Phones and headphones for the young, books and lamps for the old."""
    names, lean = np.array(list(_PRODUCTS)), np.array([1, 1, -1.5, -1, 1, 0, 0.5, -0.5, -0.5])
    weights = _PRODUCT_SHARES * np.exp(lean * (age[:, None] - 45) / 25)
    reached = weights.cumsum(1) / weights.sum(1, keepdims=True)
    return names[(rng.random(len(age))[:, None] > reached).sum(1)]


def _moments(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Times of a year, more before its end, in the daytime and the evening."""
    day = (365 * rng.beta(1.5, 1.1, rows)).astype(int)
    second = (86_400 * rng.beta(5, 3, rows)).astype(int)
    return np.sort(_START + day * np.timedelta64(1, "D") + second * np.timedelta64(1, "s"))


def _status(rng: np.random.Generator, days: np.ndarray) -> np.ndarray:
    """What takes long is cancelled or comes back more often."""
    chance = rng.random(len(days))
    bad = 0.02 + 0.012 * days
    found = np.select([chance < bad, chance < 2 * bad], ["cancelled", "returned"], "delivered")
    return np.where(rng.random(len(days)) < 0.03, "open", found)


def _emails(rng: np.random.Generator, rows: int) -> list[str]:
    letters = np.array(list("abcdefghijklmnoprstuvw"))
    first, last = letters[rng.integers(22, size=(2, rows, 5))]
    return [f"{''.join(a)}.{''.join(b)}@example.com" for a, b in zip(first, last, strict=True)]


def _comments(rng: np.random.Generator, rows: int) -> list[str]:
    """Two remarks, and which floor: hardly a comment comes twice."""
    one, other = rng.integers(len(_REMARKS), size=(2, rows))
    floors = rng.integers(1, 400, rows)
    return [
        f"{_REMARKS[a]} {_REMARKS[b]} Code {floor} at the door."
        for a, b, floor in zip(one, other, floors, strict=True)
    ]
