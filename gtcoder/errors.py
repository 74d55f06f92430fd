"""What can go wrong, in words a user can act on.

Every error says what was expected, what was found, which column or file, and what to do.
"""


class GTCoderError(Exception):
    """Anything the library raises on purpose."""


class SchemaError(GTCoderError, ValueError):
    """A column's type or kind cannot be used as asked."""


class TableError(GTCoderError, ValueError):
    """A table cannot be found, read, or does not hold together."""


class UnreachableError(TableError):
    """A file of a table is not there, not allowed, or its storage does not answer."""


class StorageError(GTCoderError, OSError):
    """An object store does not answer as expected."""


class ConditionError(GTCoderError, ValueError):
    """A condition names something the bundle does not know."""


class BundleError(GTCoderError, ValueError):
    """A bundle is missing, damaged, foreign, or of another format."""


class ConfigError(GTCoderError, ValueError):
    """An option has a value that cannot be used."""


class OutputError(GTCoderError, OSError):
    """The output exists, or cannot be written."""


class ServiceError(GTCoderError, RuntimeError):
    """A service refuses a request, or does not answer."""
