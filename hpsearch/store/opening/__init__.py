"""What comes before work on a search: its folder is made, or is found to be nobody else's."""
