"""The one training loop, its rows, the mixture's EM, and what a run keeps."""
