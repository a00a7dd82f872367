"""Conditions and constraints: which combinations of a grid are run."""

from pathlib import Path
from typing import Any

from hpsearch import Not

grid = {
    'optimizer': ['sgd', 'adam'],
    'lr': [0.1, 0.01, 0.001],
    'momentum': [0.0, 0.9],
    'layers': ['', '10', '10,10'],
    'dropout_rate': [-1, 0.5],
}

# Pairs (when, then). They are applied one after the other. A configuration that matches all of `when` is replaced by
# one configuration for each combination of `then`; what `then` does not name stays as it is. Configurations that
# become equal are run once.
conditions = [
    # Adam has no momentum.
    ({'optimizer': ['adam']}, {'momentum': [0.0]}),
    # No dropout where there is no hidden layer. Several values in `when` would mean: any of them.
    ({'layers': ['']}, {'dropout_rate': [-1]}),
    # Not: any but these. Whatever has dropout is run with and without batchnorm, an option the grid does not name.
    ({'dropout_rate': Not([-1])}, {'batchnorm': [False, True]}),
]


def small_enough(params: dict[str, Any]) -> bool:
    """Leave out the largest learning rate with momentum: it diverges."""
    return not (params['lr'] >= 0.1 and params['momentum'] > 0)


# Functions of a configuration, applied after the conditions: it is run if all of them return True.
constraints = [small_enough]

_SCRIPT_NAME = str(Path(__file__).resolve().parent / 'train_script.py')
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc_test', 'num_layers', 'finished']
