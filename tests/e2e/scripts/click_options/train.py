"""click."""

import os

import click


@click.command()
@click.option('--out-dir')
@click.option('--learning-rate', type=float)
@click.option('--fast/--no-fast', default=True)
@click.option('--layers', type=int, multiple=True)
@click.option('--label')
def train(out_dir, learning_rate, fast, layers, label):
    os.makedirs(out_dir)
    with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
        print('got_learning_rate', learning_rate, file=file)
        print('got_fast', fast, file=file)
        print('got_layers', list(layers), file=file)
        print('got_label', label, file=file)
        print('finished 1', file=file)


train()
