"""Verbs that show a search: they only read it."""
