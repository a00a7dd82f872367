"""Searches without a configuration: what the words of a command say, and the configuration files that these name."""
