"""A Ray cluster to work on, what its tasks answer, and how far they are."""
