"""The backend that the options request: GPUs or slots of this machine, or jobs in the queue of a cluster."""
