"""fire, which reads values as Python."""

import os

import fire


def train(out_dir, lr=0.5, fast=True, layers=(), label=''):
    os.makedirs(out_dir)
    with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
        print('got_lr', lr, file=file)
        print('got_fast', fast, file=file)
        print('got_layers', layers, file=file)
        print('got_label', label, file=file)
        print('finished 1', file=file)


fire.Fire(train)
