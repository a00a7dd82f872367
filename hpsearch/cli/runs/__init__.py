"""The verbs on single runs of a search: what they were given, what became of them, and what is to become of them."""
