"""From what runs have used so far to what those that wait need, and to which of them starts where."""
