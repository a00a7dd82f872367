"""What a run has reported so far, from wherever its script writes it while it goes."""
