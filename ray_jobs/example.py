"""A table to try the commands on: the orders of a shop that does not exist, as one file."""

from gtcoder.errors import OutputError
from gtcoder.example import orders
from gtcoder.progress import Reporter
from gtcoder.table.files import exists, write_bytes
from gtcoder.table.memory import to_arrow
from gtcoder.table.writers import CsvWriter, ParquetWriter


def run_example(out: str, rows: int, seed: int, reporter: Reporter, *, overwrite: bool) -> None:
    """Write the example table.

    Raises:
        OutputError: the file's name ends in neither .parquet nor .csv, or it is there already.
        ConfigError: the number of rows is below 1.
    """
    if not out.lower().endswith((".parquet", ".csv")):
        raise OutputError(f"--out {out}: expected a file that ends in .parquet or .csv")
    if exists(out) and not overwrite:
        raise OutputError(f"{out} exists; choose another --out, or add --overwrite")
    table = to_arrow(orders(rows, seed=seed)).replace_schema_metadata()
    schema, is_csv = table.schema, out.lower().endswith(".csv")
    writer = CsvWriter(schema) if is_csv else ParquetWriter(schema)
    write_bytes(out, writer.rows(table) + writer.end())
    reporter.result(f"{rows:,} orders of a shop that does not exist; {out}")
