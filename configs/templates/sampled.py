"""A search that chooses its runs while it goes, from distributions; see docs/adaptive.rst."""

from pathlib import Path
from typing import Any

from hpsearch import loguniform, uniform

# Option of the script, without its dashes -> a distribution, or a list of which one value is chosen.
grid = {
    'lr': loguniform(1e-4, 1.0),
    'optimizer': ['sgd', 'adam'],
    'layers': ['10', '10,10', '10,10,10'],
    'batchnorm': [False, True],
}

# Options that only some runs have.
conditions = [
    ({'optimizer': ['sgd']}, {'momentum': uniform(0.0, 0.99, precision=2)}),
]


def stable(params: dict[str, Any]) -> bool:
    """Leave out steps that are too large together with momentum."""
    return bool(params['lr'] * (1 + params.get('momentum', 0.0)) < 1.0)


constraints = [stable]

_SCRIPT_NAME = str(Path(__file__).resolve().parent / 'train_script.py')
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc_test', 'finished']

# 'tpe' learns from the results; it needs Optuna: pip install 'hpsearch[search]'
_SEARCH = 'random'
_MAX_TRIALS = 20
_OBJECTIVE = 'acc_test'
_DIRECTION = 'maximize'
