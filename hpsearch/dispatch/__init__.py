"""The loop that works on a search: what starts, what ends, what other writers report and leave behind, shutdown."""
