"""The one sampler: (bundle, seed, conditions) → an endless stream of rows."""
