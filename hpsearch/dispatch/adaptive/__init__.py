"""A search that chooses its runs while it goes: where they come from, what they report, and which are stopped."""
