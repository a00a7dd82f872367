"""Slurm: the argument lists of its commands, and parsers of what they print."""
