"""``hpsearch compare``: several searches beside each other."""
