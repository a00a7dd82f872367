"""A search on disk: its folder, its journals, the files of its attempts, their summaries, the table of results."""
