"""draccus: dataclasses with dotted options and values in YAML."""

import dataclasses
import os

import draccus


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.5


@dataclasses.dataclass
class Config:
    out_dir: str = ''
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    fast: bool = True
    layers: list[int] = dataclasses.field(default_factory=list)
    label: str = ''


@draccus.wrap()
def train(config: Config):
    os.makedirs(config.out_dir)
    with open(os.path.join(config.out_dir, 'summary.txt'), 'w') as file:
        print('got_optimizer.lr', config.optimizer.lr, file=file)
        print('got_fast', config.fast, file=file)
        print('got_layers', config.layers, file=file)
        print('got_label', config.label, file=file)
        print('finished 1', file=file)


train()
