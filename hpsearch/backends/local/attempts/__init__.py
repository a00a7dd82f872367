"""Attempts as processes of this machine: started, found again, signalled, and what becomes of them."""
