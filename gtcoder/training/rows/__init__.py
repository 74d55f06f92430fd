"""The rows of a training: which are held out, how they lie in files, in what order they come."""
