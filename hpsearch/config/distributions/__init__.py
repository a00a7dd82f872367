"""Distributions in a configuration: the functions and the notation that write them, and their checks."""
