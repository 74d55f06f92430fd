"""Where rows come from: files in folders and on object stores, and tables in memory."""

from gtcoder.table.locate import locate

__all__ = ["locate"]
