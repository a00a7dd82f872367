"""Attempts as jobs of a batch system: what all such systems have in common."""
