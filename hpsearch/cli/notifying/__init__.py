"""Telling somebody that a search has ended, or that something is wrong: commands that get its facts as JSON."""
