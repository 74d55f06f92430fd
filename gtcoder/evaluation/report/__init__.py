"""The report: plain JSON values, a verdict in words, and one page."""
