"""A module of a package, which ``python -m`` executes."""

import argparse
import os

from . import report

parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--tag')
args = parser.parse_args()

os.makedirs(args.out_dir)
report.write(os.path.join(args.out_dir, 'summary.txt'), {'got_lr': args.lr, 'got_tag': args.tag, 'finished': 1})
