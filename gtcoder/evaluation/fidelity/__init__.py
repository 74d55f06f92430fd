"""How alike two tables are: columns, pairs, and what a detector tells apart."""
