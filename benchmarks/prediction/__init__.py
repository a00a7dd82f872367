"""How well the needs of runs are foretold from their parameters."""
