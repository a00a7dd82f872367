"""Disturbs many small searches at random, and counts what got lost, ran twice, hung, or ended without a reason."""
