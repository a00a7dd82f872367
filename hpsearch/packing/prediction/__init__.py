"""What a run needs, learned from the runs before it and their parameters."""
