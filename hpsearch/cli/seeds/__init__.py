"""``hpsearch seeds``: repeats runs with other random seeds, in a search of their own."""
