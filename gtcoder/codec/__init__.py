"""Table ⇄ codes and scalars: one reversible transform a column, plain JSON."""
