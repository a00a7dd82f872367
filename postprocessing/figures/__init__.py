"""The figures of a search as data: numbers that a page or a plot shows, each with its caption in words."""
