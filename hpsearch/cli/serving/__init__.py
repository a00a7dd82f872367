"""``hpsearch serve``: the page of a search, kept fresh, for browsers of this machine; it only reads."""
