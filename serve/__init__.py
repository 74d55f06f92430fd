"""The service: rows, explanations and bulk batches over HTTP with Ray Serve."""
