"""Knows no output folder and prints its accuracy."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action='store_true')
args = parser.parse_args()

for epoch in range(1, 4):
    print(f'epoch {epoch}: lr={args.lr} fast={args.fast} accuracy={0.5 + epoch / 10}')
