"""A search as people and programs read it: its runs and attempts as records, from a folder that is never written."""
