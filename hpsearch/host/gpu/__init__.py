"""The GPUs of this machine: what reads them, and who has started something there."""
