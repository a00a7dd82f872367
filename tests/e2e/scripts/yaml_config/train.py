"""Reads everything from a YAML file."""

import argparse
import json
import os

import yaml

parser = argparse.ArgumentParser()
parser.add_argument('--config')
with open(parser.parse_args().config) as file:
    config = yaml.safe_load(file)

assert config['optimizer']['name'] == 'sgd' and config['augment'] is True and config['frozen']['lr'] == 0.01, config
folder = config['trainer']['folder']
os.makedirs(folder)
values = {'optimizer.lr': config['optimizer']['lr'], 'layers': config['layers'], '+note': config['note']}
with open(os.path.join(folder, 'result.json'), 'w') as file:
    json.dump({f'got_{name}': value for name, value in values.items()}, file)
