"""What is done with a search folder after, or beside, the search: its table, lists, seeds and tidying up."""
