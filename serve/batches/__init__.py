"""Bulk batches: `gtcoder generate` as Ray jobs below one root."""
