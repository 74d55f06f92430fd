"""How fast it is on this machine: what `gtcoder benchmark` runs."""
