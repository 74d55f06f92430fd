"""Made-up text: forms worked out by hand."""

import pyarrow as pa

from gtcoder.evaluation.patterns import pattern_shares
from gtcoder.evaluation.roles import Roles


def shares(real, other):
    tables = {"other": pa.table({"code": pa.array(other, pa.string())})}
    found = pattern_shares(pa.table({"code": real}), tables, ("code",))
    return [found[0][key]["other"] for key in ("known_form_share", "real_value_share")]


def test_a_form_is_what_stands_between_letters_and_digits():
    real = ["AB-1234", "XY-9876", "c.d@e.de", "long.name@company.com", None]
    assert shares(real, ["ZZ-0000", "11-abcd", "u.v@w.fr", None]) == [1.0, 0.0]
    assert shares(real, ["ZZ-000", "ZZ-00000", "ZZ_0000", "ZZ0000"]) == [0.0, 0.0]  # short, long, …
    assert shares(real, ["AB-1234", "AB-1234", "ZZ-0000", "?"]) == [0.75, 0.5]
    assert shares(real, ["ÄÖ-١٢٣٤"]) == [1.0, 0.0]


def test_without_values_there_is_no_share():
    assert shares(["AB-1"], [None, None]) == [None, None]
    assert shares(pa.nulls(2, pa.string()), ["AB-1"]) == [0.0, 0.0]
    assert shares(pa.array(["AB-1", "AB-2"]).dictionary_encode(), ["AB-2"]) == [1.0, 1.0]


def test_columns_of_a_pattern_are_found():
    table = pa.table(
        {"n": list(range(0, 900, 3)), "code": [f"K-{at % 250:04d}" for at in range(300)]}
    )
    roles = Roles.of(table)
    assert roles.patterns == ("code",)
    assert "form" in roles.left_out["code"]
