"""Good neighbours: what of a machine a search leaves to others, and when its runs make room for them. Pure."""
