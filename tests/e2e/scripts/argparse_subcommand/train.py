"""argparse with a sub-command and a positional argument."""

import argparse
import os

parser = argparse.ArgumentParser()
fit = parser.add_subparsers(required=True).add_parser('fit')
fit.add_argument('data')
fit.add_argument('--output')
fit.add_argument('--lr', type=float)
fit.add_argument('--fast', action='store_true')
args = parser.parse_args()

os.makedirs(args.output)
with open(os.path.join(args.output, 'summary.txt'), 'w') as file:
    print('got_lr', args.lr, file=file)
    print('got_fast', args.fast, file=file)
    print('got_data', args.data, file=file)
    print('finished 1', file=file)
