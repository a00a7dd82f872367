"""Searches on learning curves, on a simulated clock: tasks, who runs them, and recorded curves."""
