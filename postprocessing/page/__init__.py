"""The page of a search: one HTML file that shows it, with everything in it that it needs."""
