"""The options of packing, and what is shown of it."""
