"""Candidates for rules, found on a sample of a table's distinct rows."""
