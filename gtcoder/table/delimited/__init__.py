"""CSV files: how they are written (said or guessed), and their columns as Arrow's types.

A CSV file has no types. They are settled by reading it once to its end as text, so that a value
far down cannot contradict a type guessed from the top.
"""
