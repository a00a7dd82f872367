"""A search, or a list of searches, in a view that fills the terminal: what is shown, what keys do, and how it is drawn.

Everything here is pure: readings, times and the size of the terminal are arguments, lines are returned.
"""
