"""The version of the library, that bundles name."""

VERSION = "0.1.0"
