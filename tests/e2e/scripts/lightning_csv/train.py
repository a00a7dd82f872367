"""Leaves what Lightning's CSVLogger leaves."""

import argparse
import csv
import os

parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--fast', action='store_true')
args = parser.parse_args()

folder = os.path.join(args.out_dir, 'lightning_logs', 'version_0')
os.makedirs(folder)
with open(os.path.join(folder, 'metrics.csv'), 'w', newline='') as file:
    log = csv.DictWriter(file, ['epoch', 'step', 'train_loss', 'val_acc', 'got_lr', 'got_fast'])
    log.writeheader()
    log.writerow({'got_lr': args.lr, 'got_fast': args.fast})
    for epoch in range(3):
        log.writerow({'epoch': epoch, 'step': 50 * epoch, 'train_loss': 1 / (epoch + 1)})
        log.writerow({'epoch': epoch, 'step': 50 * epoch, 'val_acc': 0.5 + epoch / 10})
