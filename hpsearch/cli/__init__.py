"""The command line: one file per verb; it wires the parts together and is the only one that prints."""
