"""Rows now: what a request wants, and how a replica draws it."""
