"""From a configuration to runs: the grid, its conditions, its order, and the plan."""
