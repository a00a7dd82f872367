"""What users ask of single runs of a search, and of the search, while it is worked on."""
