"""Metrics that runs report while they go."""
