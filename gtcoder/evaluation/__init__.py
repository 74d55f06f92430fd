"""Measures of a synthetic table against the real one: they see tables and a schema, no model."""
