"""What is said of the verbs as a whole: the list of all, their parsers, their words for a shell."""
