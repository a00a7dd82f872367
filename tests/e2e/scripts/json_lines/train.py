"""Appends a line of nested JSON per epoch; an epoch in the middle is the best."""

import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action='store_true')
args = parser.parse_args()

os.makedirs(args.out_dir)
with open(os.path.join(args.out_dir, 'log.jsonl'), 'w') as log:
    for acc in (0.5, 0.9, 0.7):
        print(json.dumps({'got_lr': args.lr, 'got_fast': args.fast, 'val': {'acc': acc}}), file=log, flush=True)
