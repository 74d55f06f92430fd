"""What columns say of one another: found on a sample, verified over all rows, kept always."""
