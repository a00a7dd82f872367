"""Packing in the loop: what is learned from the journals, and what is asked of the backend."""
