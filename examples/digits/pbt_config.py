"""Population based training of the digits example: six networks that train in turns, about a minute.

Start it in the folder that holds ``examples/``::

    python3 -m hpsearch run examples/digits/pbt_config.py --search=pbt --search_options population=6 --cpu_jobs=2
"""

from hpsearch import fidelity, loguniform, uniform

# What is drawn for each network, and changed while it trains. The budget is the number of epochs: each run goes on from
# a checkpoint, and trains up to the next multiple of the interval.
grid = {
    'lr': loguniform(0.001, 1.0, precision=3),
    'momentum': uniform(0.0, 0.99, precision=3),
    'optimizer': ['sgd'],
    'hidden': ['64'],
    'epochs': fidelity(4, 40),
}

# The option that a run gets which goes on from an earlier one, and what it then gets a copy of.
_CHECKPOINT_ARG = 'resume_from'
_CHECKPOINT = 'checkpoint.npz'

_SCRIPT_NAME = 'examples/digits/train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['loss_val', 'acc_val', 'acc_test', 'finished']
_PERFORMANCE_KEY = 'loss_val'
_PERFORMANCE_SORT_ASC = True
