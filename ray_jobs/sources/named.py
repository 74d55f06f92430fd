"""Tables that have a name and a history rather than files: `delta:PATH`, `iceberg:CATALOG.TABLE`.

One version of such a table is read, the one that is current when it is first looked at, so both
passes over it and a resumed training see the same rows.
"""

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from gtcoder.errors import ConfigError, OutputError, TableError
from gtcoder.table.files import absolute
from gtcoder.table.locate import Each
from gtcoder.table.table import Table
from ray_jobs.sources.catalogued import delta_files, iceberg_files, see_plain
from ray_jobs.sources.dataset import DatasetSource

TABLES = ("delta", "iceberg")
"""The kinds of such tables, as they are named."""
_NAMED = re.compile(rf"({'|'.join(TABLES)}):(.+)")


class NamedTable(Protocol):
    """A table of a known kind."""

    kind: str
    uri: str

    def source(self) -> DatasetSource:
        """Its current rows.

        Raises:
            TableError: there is no such table.
            ConfigError: the library that reads it is not installed.
        """

    def files(self, each: Each) -> Table:
        """The files of its current version, looked at by `each`.

        Raises:
            TableError: there is no such table, or its files alone do not say what the rows are.
            ConfigError: the library that reads it is not installed.
        """

    def check(self, *, overwrite: bool) -> None:
        """See that rows may be written to it.

        Raises:
            OutputError: there is a table, and it is not to be replaced.
            ConfigError: the library that writes it is not installed.
        """

    def write(self, dataset: Any, schema: pa.Schema) -> None:
        """Write a dataset as all rows of the table, in one commit.

        Args:
            dataset: a `ray.data.Dataset`.
            schema: its own, as `stored` gives it for this kind of table.

        Raises:
            OutputError: it cannot be written.
        """


def named_table(uri: str) -> NamedTable | None:
    """The table that a name means; nothing where it is a path, glob or URI of files."""
    match = _NAMED.fullmatch(uri)
    if match is None:
        return None
    return {"delta": DeltaTable, "iceberg": IcebergTable}[match[1]](uri, match[2])


class _Checked:
    """What a table of any kind does before rows are written to it."""

    uri: str

    def check(self, *, overwrite: bool) -> None:
        """See that rows may be written to it."""
        if self._is_there() and not overwrite:
            raise OutputError(f"{self.uri} exists; choose another name, or add --overwrite")

    def _is_there(self) -> bool:
        raise NotImplementedError


@dataclass(frozen=True)
class DeltaTable(_Checked):
    """A Delta Lake table in a folder."""

    uri: str
    path: str
    kind: str = "delta"

    def source(self) -> DatasetSource:
        """Its current rows."""
        import ray.data

        found = self._there()
        see_plain(self.uri, self.path, found)
        version = found.version()
        dataset = ray.data.read_delta(
            absolute(self.path), version=version, storage_options=_storage_options()
        )
        return DatasetSource.of(dataset, uri=self.uri, fingerprint=f"version {version}")

    def files(self, each: Each) -> Table:
        """The files of its current version, looked at by `each`."""
        return delta_files(self.uri, self.path, self._there(), each)

    def write(self, dataset: Any, schema: pa.Schema) -> None:
        """Write a dataset as all rows of the table, in one commit."""
        from ray.data import SaveMode

        with _told(self.uri):
            dataset.write_delta(
                absolute(self.path), mode=SaveMode.OVERWRITE, storage_options=_storage_options()
            )

    def _is_there(self) -> bool:
        return self._found() is not None

    def _there(self) -> Any:
        found = self._found()
        if found is None:
            raise TableError(f"{self.uri}: there is no Delta table")
        return found

    def _found(self) -> Any:
        deltalake = _library("deltalake", "delta")
        path = absolute(self.path)
        try:
            return deltalake.DeltaTable(path, storage_options=_storage_options())
        except deltalake.exceptions.TableNotFoundError:
            return None
        except (deltalake.exceptions.DeltaError, OSError) as error:
            raise TableError(f"{self.uri} cannot be opened: {_line(error)}") from error


@dataclass(frozen=True)
class IcebergTable(_Checked):
    """An Iceberg table of a catalogue that pyiceberg knows by its configuration."""

    uri: str
    name: str
    kind: str = "iceberg"

    def source(self) -> DatasetSource:
        """Its current rows."""
        import ray.data

        catalog = self._catalog()
        snapshot = self._there(catalog).current_snapshot().snapshot_id
        dataset = ray.data.read_iceberg(
            table_identifier=self._identifier,
            snapshot_id=snapshot,
            catalog_kwargs=_named_properties(catalog),
        )
        return DatasetSource.of(dataset, uri=self.uri, fingerprint=f"snapshot {snapshot}")

    def files(self, each: Each) -> Table:
        """The files of its current version, looked at by `each`."""
        return iceberg_files(self.uri, self._there(self._catalog()), each)

    def write(self, dataset: Any, schema: pa.Schema) -> None:
        """Write a dataset as all rows of the table, in one commit."""
        from ray.data import SaveMode

        catalog = self._catalog()
        with _told(self.uri):
            if self._found(catalog) is None:
                catalog.create_namespace_if_not_exists(self._identifier.rpartition(".")[0])
                catalog.create_table(self._identifier, schema)
            dataset.write_iceberg(
                self._identifier,
                catalog_kwargs=_named_properties(catalog),
                mode=SaveMode.OVERWRITE,
            )

    @property
    def _identifier(self) -> str:
        return self.name.partition(".")[2]

    def _catalog(self) -> Any:
        catalogs = _library("pyiceberg.catalog", "iceberg")
        name = self.name.partition(".")[0]
        if self.name.count(".") < 2:
            raise ConfigError(f"{self.uri}: expected iceberg:CATALOG.NAMESPACE.TABLE")
        try:
            return catalogs.load_catalog(name)
        except Exception as error:  # each kind of catalogue has its own
            raise ConfigError(
                f"{self.uri}: the catalogue {name!r} cannot be opened ({_line(error)}); describe "
                f"it in ~/.pyiceberg.yaml, or set PYICEBERG_CATALOG__{name.upper()}__URI"
            ) from error

    def _is_there(self) -> bool:
        return self._found(self._catalog()) is not None

    def _there(self, catalog: Any) -> Any:
        found = self._found(catalog)
        if found is None or found.current_snapshot() is None:
            raise TableError(f"{self.uri}: there is no such Iceberg table, or it has no rows")
        return found

    def _found(self, catalog: Any) -> Any:
        from pyiceberg.exceptions import NoSuchTableError

        try:
            return catalog.load_table(self._identifier)
        except NoSuchTableError:
            return None


def _storage_options() -> dict[str, str]:
    """What deltalake does not see in the usual AWS variables: that their endpoint has no TLS."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"AWS_ALLOW_HTTP": "true"} if plain else {}


def _named_properties(catalog: Any) -> dict[str, Any]:
    """A catalogue as Ray's tasks open it, whose machines lack this one's configuration."""
    return {"name": catalog.name, **catalog.properties}


def _library(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra}: tables need a library that is not installed: pip install 'gtcoder[{extra}]'"
        ) from error


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Turn what a table's library or Ray raises into one line."""
    import ray.exceptions

    try:
        yield
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        raise OutputError(f"{uri} cannot be written: {_line(cause)}") from error
    except Exception as error:
        raise OutputError(f"{uri} cannot be written: {_line(error)}") from error


def _line(error: BaseException) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()  # deltalake's are coloured
    return (plain or type(error).__name__).splitlines()[0]
