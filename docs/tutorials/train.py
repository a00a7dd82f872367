"""Fit a curve with a small neural network; it needs nothing but Python."""

import argparse
import math
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--lr', type=float, default=0.1, help='learning rate')
parser.add_argument('--hidden', type=int, default=8, help='units of the hidden layer')
parser.add_argument('--seed', type=int, default=0, help='seed of the first weights')
parser.add_argument('--epochs', type=int, default=20, help='passes over the data')
args = parser.parse_args()

random.seed(args.seed)
points = [(x / 20, math.sin(x / 5)) for x in range(-20, 21)]
slopes, shifts, weights = ([random.gauss(0, 1) for _ in range(args.hidden)] for _ in range(3))

for epoch in range(1, args.epochs + 1):
    loss = 0.0
    for x, y in random.sample(points, len(points)):
        units = [math.tanh(slope * x + shift) for slope, shift in zip(slopes, shifts)]
        error = sum(weight * unit for weight, unit in zip(weights, units)) - y
        loss += error**2 / len(points)
        for i, unit in enumerate(units):
            backwards = args.lr * error * weights[i] * (1 - unit**2)
            weights[i] -= args.lr * error * unit
            slopes[i] -= backwards * x
            shifts[i] -= backwards
    print(f'epoch={epoch} loss={loss:.4f}', flush=True)
