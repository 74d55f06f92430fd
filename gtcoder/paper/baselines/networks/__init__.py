"""Networks and densities that several baselines are built from."""
