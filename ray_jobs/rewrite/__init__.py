"""Jobs that write a row for every row of a table: its gaps filled, or its scores beside it."""
