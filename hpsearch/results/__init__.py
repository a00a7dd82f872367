"""The result of a run, from where its script leaves it."""
