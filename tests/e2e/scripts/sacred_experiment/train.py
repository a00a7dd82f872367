"""sacred: name=value behind the word "with"."""

import os

from sacred import SETTINGS, Experiment

SETTINGS.CAPTURE_MODE = 'no'
experiment = Experiment('train', save_git_info=False)


@experiment.config
def config():
    out_dir = ''  # noqa: F841
    lr = 0.5  # noqa: F841
    fast = True  # noqa: F841
    layers = []  # noqa: F841


@experiment.automain
def train(out_dir, lr, fast, layers):
    os.makedirs(out_dir)
    with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
        print('got_lr', lr, file=file)
        print('got_fast', fast, file=file)
        print('got_layers', list(layers), file=file)
        print('finished 1', file=file)
