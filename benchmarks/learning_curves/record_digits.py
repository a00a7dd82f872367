"""Train the network of examples/digits with every configuration of a grid, and record its validation losses.

    python3 benchmarks/learning_curves/record_digits.py [FILE]

Takes about ten minutes on one core, and writes one line per configuration: its values, then the loss after each epoch.
The recorded file is ``benchmarks/data/digits_curves.csv.gz``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent
EPOCHS = 81

GRID: dict[str, list[Any]] = {
    'lr': [float(f'{10 ** (-4 + 0.5 * number):.2g}') for number in range(10)],
    'optimizer': ['sgd', 'adam'],
    'hidden': [8, 32, 128],
    'activation': ['relu', 'tanh'],
    'batch_size': [16, 64, 256],
    'weight_decay': [0.0, 0.001, 0.01],
}
"""1080 configurations; the learning rates go from 0.0001 to 3.2."""


def trainer() -> ModuleType:
    """The module ``examples/digits/train.py``, with one thread for its small products."""
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    sys.path.insert(0, str(CHECKOUT / 'examples' / 'digits'))
    import train  # type: ignore[import-not-found]

    return train  # type: ignore[no-any-return]


def losses(train: ModuleType, values: dict[str, Any]) -> Iterator[float]:
    """The validation loss after each epoch."""
    import numpy as np

    args = argparse.Namespace(**values, momentum=0.0)
    data, val, _ = train.load_data()
    network = train.make_network([64, values['hidden'], 10], np.random.default_rng(42))
    rng, step = np.random.default_rng(42), 0
    for _ in range(EPOCHS):
        with np.errstate(all='ignore'):
            step = train.train_epoch(network, data, args, rng, step)
            yield train.evaluate(network, val, args.activation)[0]


def main() -> None:
    """Train all, and write what they reported."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recorded = CHECKOUT / 'benchmarks' / 'data' / 'digits_curves.csv.gz'
    parser.add_argument('file', nargs='?', type=Path, default=recorded)
    path = parser.parse_args().file
    train = trainer()
    with gzip.open(path, 'wt', newline='') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow([*GRID, *range(1, EPOCHS + 1)])
        for chosen in itertools.product(*GRID.values()):
            curve = losses(train, dict(zip(GRID, chosen, strict=True)))
            writer.writerow([*chosen, *(f'{loss:.4g}' for loss in curve)])


if __name__ == '__main__':
    main()
