"""What runs use of a machine: what was measured of attempts, and what is expected of runs that wait."""
