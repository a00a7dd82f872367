"""Verbs on single runs of a search."""
