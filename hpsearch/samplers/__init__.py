"""Samplers: from the trials of a search to the values that are tried next; nothing here touches files or clocks."""
