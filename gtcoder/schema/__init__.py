"""What each column is: its kind, inferred from its type and its sketch, or set by the user."""
