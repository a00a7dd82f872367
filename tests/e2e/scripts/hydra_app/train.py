"""Hydra, whose own option for the output folder is used."""

import os

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path='.', config_name='config')
def train(cfg):
    with open(os.path.join(HydraConfig.get().runtime.output_dir, 'summary.txt'), 'w') as file:
        print('got_optimizer.lr', cfg.optimizer.lr, file=file)
        print('got_fast', cfg.fast, file=file)
        print('got_layers', list(cfg.layers), file=file)
        print('got_label', cfg.label, file=file)
        print('finished 1', file=file)


train()
