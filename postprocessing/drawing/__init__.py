"""The figures of a search for papers: drawn by matplotlib, from the same data as those of the page."""
