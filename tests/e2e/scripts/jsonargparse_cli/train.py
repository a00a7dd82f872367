"""jsonargparse, which Lightning's command line is made of: sub-commands, dotted options, values in YAML."""

import dataclasses
import os

from jsonargparse import CLI


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.5


class Trainer:
    def fit(self, optimizer: Optimizer, out_dir: str = '', fast: bool = True, layers: list[int] = [], label: str = ''):  # noqa: B006
        os.makedirs(out_dir)
        with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
            print('got_optimizer.lr', optimizer.lr, file=file)
            print('got_fast', fast, file=file)
            print('got_layers', layers, file=file)
            print('got_label', label, file=file)
            print('finished 1', file=file)


CLI(Trainer)
