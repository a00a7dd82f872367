"""tyro, with nested dataclasses."""

import dataclasses
import os

import tyro


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.5


@dataclasses.dataclass
class Config:
    out_dir: str
    optimizer: Optimizer
    fast: bool = True
    layers: tuple[int, ...] = ()
    label: str = ''


config = tyro.cli(Config)
os.makedirs(config.out_dir)
with open(os.path.join(config.out_dir, 'summary.txt'), 'w') as file:
    print('got_optimizer.lr', config.optimizer.lr, file=file)
    print('got_fast', config.fast, file=file)
    print('got_layers', list(config.layers), file=file)
    print('got_label', config.label, file=file)
    print('finished 1', file=file)
