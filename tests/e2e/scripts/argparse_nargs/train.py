"""argparse with lists and a switch that can be turned off."""

import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action=argparse.BooleanOptionalAction, default=True)
parser.add_argument('--layers', type=int, nargs='+')
parser.add_argument('--label')
args = parser.parse_args()

os.makedirs(args.out_dir)
with open(os.path.join(args.out_dir, 'summary.txt'), 'w') as file:
    print('got_lr', args.lr, file=file)
    print('got_fast', args.fast, file=file)
    print('got_layers', args.layers, file=file)
    print('got_label', args.label, file=file)
    print('finished 1', file=file)
