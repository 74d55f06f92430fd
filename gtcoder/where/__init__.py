"""Conditions: as they are written, as literals of a column, as constraints on codes."""
