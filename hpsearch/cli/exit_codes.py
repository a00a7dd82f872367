"""What the exit status of a command says."""

ALL_FINISHED = 0
"""All runs finished; of a verb that runs nothing: it is done."""

SOME_DID_NOT = 1
"""Some runs did not finish."""

WRONG_REQUEST = 2
"""An option, the configuration or the folder is wrong, or the queue refuses such jobs."""

INTERRUPTED = 130
"""Stopped by a signal or by ``hpsearch stop``."""
