"""A search as people see it: snapshots of the model as lines of text, as a table, or as a live view on a terminal."""
