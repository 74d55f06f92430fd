"""Rows now: what is asked of the replicas that hold models, and how they draw it."""
