"""What an adaptive search proposes and what it learns: distributions, trials, objectives, and learning curves."""
