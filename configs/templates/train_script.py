"""The script that the templates run: it pretends to train and writes a summary.

Put your own training script in its place. All that hpsearch asks of a script is an option for its output folder and a
summary file in that folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out_dir', required=True, help='folder of the results; must not exist')
    parser.add_argument('--optimizer', choices=['sgd', 'adam'], default='sgd', help='how weights are updated')
    parser.add_argument('--lr', type=float, default=0.1, help='learning rate')
    parser.add_argument('--momentum', type=float, default=0.0, help='momentum (sgd only)')
    parser.add_argument('--layers', default='10,10', help='sizes of the hidden layers, may be empty')
    parser.add_argument('--dropout_rate', type=float, default=-1, help='share of units left out; -1: none')
    parser.add_argument('--batchnorm', action='store_true', help='normalise the layers')
    parser.add_argument('--random_seed', type=int, default=42, help='seed')
    return parser.parse_args()


def pretend_to_train(args: argparse.Namespace) -> dict[str, str]:
    """Return results that depend on the hyperparameters in some way."""
    sizes = [int(size) for size in args.layers.split(',') if size]
    accuracy = 90 - 100 * abs(args.lr - 0.01) + 2 * args.momentum + args.batchnorm + len(sizes)
    losses = [round(1 / epoch, 3) for epoch in range(1, 4)]
    return {'acc_test': f'{accuracy:.3f}', 'loss_train': ' '.join(map(str, losses)), 'num_layers': str(len(sizes))}


def main() -> None:
    """Write the results into a new output folder."""
    args = parse_arguments()
    out_dir = Path(args.out_dir)
    out_dir.mkdir(parents=True)
    results = {**pretend_to_train(args), 'finished': '1'}
    (out_dir / 'performance_overview.txt').write_text(''.join(f'{key} {value}\n' for key, value in results.items()))


if __name__ == '__main__':
    main()
