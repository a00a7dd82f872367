"""The command lines of the verbs, from words to typed values. Imports little: ``--help`` is fast."""
