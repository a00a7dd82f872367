"""The runs of a search: planned in advance in a file, or suggested in its journals while it goes."""
