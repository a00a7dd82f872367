"""typer."""

import os

import typer


def train(out_dir: str, learning_rate: float = 0.5, fast: bool = True, layers: list[int] = [], label: str = ''):  # noqa: B006
    os.makedirs(out_dir)
    with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
        print('got_learning_rate', learning_rate, file=file)
        print('got_fast', fast, file=file)
        print('got_layers', layers, file=file)
        print('got_label', label, file=file)
        print('finished 1', file=file)


typer.run(train)
