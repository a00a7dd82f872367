"""A search on disk: its folder, its plan, its journals, the files of its attempts, their summaries, its table."""
