"""A grid search over the digits example: 24 runs, about a minute.

Start it in the folder that holds ``examples/``::

    python3 -m hpsearch --grid_module=examples/digits/hpsearch_config.py
"""

# Option of the script (without dashes) -> the values to try.
grid = {
    'optimizer': ['sgd', 'adam'],
    'lr': [0.003, 0.03],
    'momentum': [0.0, 0.9],
    'hidden': ['64', '128,64'],
    'activation': ['relu', 'tanh'],
    'weight_decay': [1e-4],
    # True: the bare flag --keep_best; False would leave it out.
    'keep_best': [True],
}

# Pairs (when, then). Adam has no momentum: of the 32 combinations 8 become copies of others, and copies are run once.
conditions = [
    ({'optimizer': ['adam']}, {'momentum': [0.0]}),
]

# Relative to where the search is started (or to --run_cwd).
_SCRIPT_NAME = 'examples/digits/train.py'

# What the script leaves in its output folder: one line "keyword value" per keyword.
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = [
    'acc_val',
    'acc_test',
    'acc_train',
    'loss_val',
    'loss_train',
    'num_epochs',
    'num_weights',
    'seconds',
    'finished',
]

# The best run is the one with the highest accuracy on the validation data.
_PERFORMANCE_KEY = 'acc_val'
_PERFORMANCE_SORT_ASC = False
