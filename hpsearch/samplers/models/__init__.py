"""Samplers that learn from the results so far, and how trials and distributions look to the libraries behind them."""
