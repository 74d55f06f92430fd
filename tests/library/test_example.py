"""The example table: kinds of many sorts, and rules that are found in it."""

import pytest

from gtcoder.errors import ConfigError
from gtcoder.example import orders
from gtcoder.schema.schema import Schema


@pytest.fixture(scope="module")
def schema():
    return Schema.of(orders(3_000, seed=1))


def test_a_seed_makes_the_table():
    assert orders(50, seed=3).equals(orders(50, seed=3))
    assert not orders(50, seed=3).equals(orders(50, seed=4))
    assert len(orders(1)) == 1
    with pytest.raises(ConfigError, match="rows must be at least 1, not 0"):
        orders(0)


def test_it_has_columns_of_many_kinds(schema):
    kinds = {column.name: column.kind.value for column in schema.columns}
    assert kinds == {
        "order_id": "identifier",
        "email": "identifier",
        "age": "integer",
        "city": "categorical",
        "country": "categorical",
        "product": "categorical",
        "category": "categorical",
        "unit_price": "real",
        "quantity": "integer",
        "total": "real",
        "express": "boolean",
        "ordered_at": "timestamp",
        "status": "categorical",
        "delivered_on": "date",
        "rating": "integer",
        "comment": "text",
    }


def test_its_rules_are_found(schema):
    assert set(schema.rules) >= {
        "together: country, city",
        "together: category, product",
        "total = unit_price * quantity",
        "ordered_at < delivered_on",
        "missing: delivered_on exactly where status is 'cancelled', 'open'",
    }
