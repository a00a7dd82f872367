"""Attempts as processes of this machine, and where their slots come from."""
