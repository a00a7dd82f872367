"""Writes scalars for TensorBoard."""

import argparse
import os

from tensorboardX import SummaryWriter

parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action='store_true')
args = parser.parse_args()

os.makedirs(args.out_dir)
with SummaryWriter(os.path.join(args.out_dir, 'runs')) as writer:
    writer.add_scalar('got_lr', args.lr)
    writer.add_scalar('got_fast', float(args.fast))
    for epoch in range(3):
        writer.add_scalar('val/acc', 0.5 + epoch / 10, epoch)
