"""`gtcoder example` writes the same table in either format, and replaces nothing unasked."""

import pyarrow as pa

from gtcoder.table.locate import locate


def test_the_same_table_in_either_format(run, tmp_path):
    for name in ("orders.parquet", "orders.csv"):
        code, _, err = run("example", "--out", str(tmp_path / name), "--rows", "500")
        assert (code, err) == (0, "")
    one, other = (
        pa.concat_tables(list(locate(tmp_path / name).batches()))
        for name in ("orders.parquet", "orders.csv")
    )
    assert one.column_names == other.column_names
    for name in ("order_id", "city", "total", "delivered_on", "rating"):
        assert one[name].to_pylist() == other[name].to_pylist()


def test_what_is_there_stays(run, tmp_path):
    out = str(tmp_path / "orders.csv")
    assert run("example", "--out", out, "--rows", "5")[0] == 0
    code, _, err = run("example", "--out", out)
    assert (code, err) == (1, f"error: {out} exists; choose another --out, or add --overwrite\n")
    assert run("example", "--out", out, "--overwrite")[0] == 0
    code, _, err = run("example", "--out", str(tmp_path / "orders"))
    assert code == 1
    assert "expected a file that ends in .parquet or .csv" in err
