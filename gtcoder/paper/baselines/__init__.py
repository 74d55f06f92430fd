"""The methods GTCoder is compared with, written from their papers on GTCoder's codec.

Each learns with `fit(table)` and draws with `sample(n, seed=...)`, as `Synthesizer` does.
"""
