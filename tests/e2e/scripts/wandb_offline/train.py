"""Logs to W&B, offline."""

import argparse

import wandb

parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action='store_true')
args = parser.parse_args()

with wandb.init(mode='offline', project='train', config=vars(args)) as run:
    for epoch in range(3):
        run.log({'val': {'acc': 0.5 + epoch / 10}})
    run.summary['got_lr'] = args.lr
    run.summary['got_fast'] = args.fast
