"""What the groups of options of all verbs are declared with."""
