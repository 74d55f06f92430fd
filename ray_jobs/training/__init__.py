"""A training's passes over the table, its workers, and the folder it goes on from."""
