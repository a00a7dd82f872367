"""Runs that were repeated with other seeds: how their results scatter, and which configuration is better."""
