"""Verbs and options of searches that choose their runs while they go."""
