"""Train a multilayer perceptron, written in numpy, on 1,797 handwritten digits.

An ordinary training script: it knows nothing of hpsearch. It takes its hyperparameters as options, makes its own output
folder and leaves its results there in ``performance_overview.txt``.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import itertools
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

DATA_FILE = Path(__file__).resolve().parent / 'digits.csv.gz'
SUMMARY_FILE = 'performance_overview.txt'
CHECKPOINT_FILE = 'checkpoint.npz'
NUM_VAL = 270
NUM_TEST = 270


@dataclass
class Split:
    """Images (one row of 64 pixels each, between 0 and 1) and their digits."""

    images: Array
    labels: Labels


@dataclass
class Layer:
    """A linear layer and what the optimizer remembers about it."""

    weights: Array
    bias: Array
    memory: dict[str, Array] = field(default_factory=dict)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out_dir', default='./out/digits', help='folder of the results; must not exist')
    parser.add_argument('--hidden', default='64', help='sizes of the hidden layers, separated by commas')
    parser.add_argument('--activation', choices=['relu', 'tanh'], default='relu', help='nonlinearity')
    parser.add_argument('--optimizer', choices=['sgd', 'adam'], default='adam', help='how weights are updated')
    parser.add_argument('--lr', type=float, default=0.001, help='learning rate')
    parser.add_argument('--momentum', type=float, default=0.0, help='momentum (sgd only)')
    parser.add_argument('--weight_decay', type=float, default=0.0, help='strength of the L2 penalty')
    parser.add_argument('--batch_size', type=int, default=32, help='images per update')
    parser.add_argument('--epochs', type=int, default=80, help='passes over the training data')
    parser.add_argument('--resume_from', help='a checkpoint.npz to go on from, up to --epochs')
    parser.add_argument('--keep_best', action='store_true', help='end with the weights of the best validation loss')
    parser.add_argument('--random_seed', type=int, default=42, help='seed of the first weights and of the order')
    args = parser.parse_args()
    if args.optimizer == 'adam' and args.momentum:
        parser.error('--momentum is for --optimizer=sgd')
    return args


def make_out_dir(path: Path) -> None:
    """Make the output folder, and ask before one that exists is deleted."""
    if path.exists():
        answer = input(f'{path} exists. Delete it? [y/n] ')
        if answer.strip().lower() not in ('y', 'yes'):
            raise SystemExit('Not deleted.')
        shutil.rmtree(path)
    path.mkdir(parents=True)


def load_data() -> tuple[Split, Split, Split]:
    """Return training, validation and test data; the split is always the same."""
    with gzip.open(DATA_FILE, 'rt') as stream:
        table = np.loadtxt(stream, delimiter=',', dtype=np.int64)
    table = table[np.random.default_rng(0).permutation(len(table))]
    images, labels = table[:, :-1] / 16.0, table[:, -1]
    bounds = (len(table) - NUM_VAL - NUM_TEST, len(table) - NUM_TEST)
    train, val, test = (Split(x, y) for x, y in zip(np.split(images, bounds), np.split(labels, bounds), strict=True))
    return train, val, test


def make_network(sizes: list[int], rng: np.random.Generator) -> list[Layer]:
    """Return layers of the given widths with random weights (He's scaling)."""
    return [
        Layer(rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out)), np.zeros(fan_out))
        for fan_in, fan_out in itertools.pairwise(sizes)
    ]


def forward(network: list[Layer], images: Array, activation: str) -> list[Array]:
    """Return the input of every layer and, last, the logits."""
    outputs = [images]
    for number, layer in enumerate(network, start=1):
        values = outputs[-1] @ layer.weights + layer.bias
        if number < len(network):
            values = np.maximum(values, 0) if activation == 'relu' else np.tanh(values)
        outputs.append(values)
    return outputs


def log_softmax(logits: Array) -> Array:
    """Return log-probabilities, a row per image."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def gradients(network: list[Layer], outputs: list[Array], labels: Labels, activation: str) -> list[tuple[Array, Array]]:
    """Return the gradients of the mean cross-entropy for the weights and the bias of every layer."""
    delta = np.exp(log_softmax(outputs[-1]))
    delta[np.arange(len(labels)), labels] -= 1
    delta /= len(labels)
    result = []
    for number in reversed(range(len(network))):
        inputs = outputs[number]
        result.append((inputs.T @ delta, delta.sum(axis=0)))
        if number > 0:
            slope = inputs > 0 if activation == 'relu' else 1 - inputs**2
            delta = (delta @ network[number].weights.T) * slope
    return result[::-1]


def sgd_step(layer: Layer, name: str, gradient: Array, args: argparse.Namespace) -> Array:
    """Return the update of gradient descent with momentum."""
    velocity = args.momentum * layer.memory.get(name, np.zeros_like(gradient)) + gradient
    layer.memory[name] = velocity
    return np.asarray(args.lr * velocity)


def adam_step(layer: Layer, name: str, gradient: Array, args: argparse.Namespace, step: int) -> Array:
    """Return the update of Adam."""
    zeros = np.zeros_like(gradient)
    mean = 0.9 * layer.memory.get(f'{name} mean', zeros) + 0.1 * gradient
    square = 0.999 * layer.memory.get(f'{name} square', zeros) + 0.001 * gradient**2
    layer.memory[f'{name} mean'], layer.memory[f'{name} square'] = mean, square
    return np.asarray(args.lr * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8))


def update(network: list[Layer], batch: Split, args: argparse.Namespace, step: int) -> None:
    """Change the weights by one step of the optimizer."""
    outputs = forward(network, batch.images, args.activation)
    slopes = gradients(network, outputs, batch.labels, args.activation)
    for layer, (by_weights, by_bias) in zip(network, slopes, strict=True):
        decayed = by_weights + args.weight_decay * layer.weights
        for name, gradient in (('weights', decayed), ('bias', by_bias)):
            if args.optimizer == 'adam':
                change = adam_step(layer, name, gradient, args, step)
            else:
                change = sgd_step(layer, name, gradient, args)
            setattr(layer, name, getattr(layer, name) - change)


def evaluate(network: list[Layer], split: Split, activation: str) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy in percent."""
    logits = forward(network, split.images, activation)[-1]
    loss = -log_softmax(logits)[np.arange(len(split.labels)), split.labels].mean()
    return float(loss), float(100 * (logits.argmax(axis=1) == split.labels).mean())


def train_epoch(
    network: list[Layer], data: Split, args: argparse.Namespace, rng: np.random.Generator, step: int
) -> int:
    """Show the network every training image once, in random order; return the number of updates so far."""
    order = rng.permutation(len(data.labels))
    for start in range(0, len(order), args.batch_size):
        chosen = order[start : start + args.batch_size]
        step += 1
        update(network, Split(data.images[chosen], data.labels[chosen]), args, step)
    return step


def save_checkpoint(path: Path, network: list[Layer], epoch: int, step: int) -> None:
    """Keep what is needed to go on: the weights, what the optimizer remembers, and how far it has come."""
    arrays: dict[str, Any] = {'epoch': epoch, 'step': step}
    for number, layer in enumerate(network):
        memory = {f'memory {name}': value for name, value in layer.memory.items()}
        for name, value in {'weights': layer.weights, 'bias': layer.bias, **memory}.items():
            arrays[f'{number} {name}'] = value
    np.savez(path, **arrays)


def load_checkpoint(path: str, network: list[Layer]) -> tuple[int, int]:
    """Take over the weights of a checkpoint; return the number of epochs and updates behind it."""
    with np.load(path) as arrays:
        for key in set(arrays).difference(['epoch', 'step']):
            number, name = key.split(' ', 1)
            layer = network[int(number)]
            if name.startswith('memory '):
                layer.memory[name.removeprefix('memory ')] = arrays[key]
            else:
                setattr(layer, name, arrays[key])
        return int(arrays['epoch']), int(arrays['step'])


def train(network: list[Layer], data: Split, val: Split, args: argparse.Namespace) -> list[Layer]:
    """Train the network in place; return it, or its best state with ``--keep_best``."""
    first, step = load_checkpoint(args.resume_from, network) if args.resume_from else (0, 0)
    rng = np.random.default_rng([args.random_seed, first] if first else args.random_seed)
    best, best_loss = network, float('inf')
    for epoch in range(first + 1, args.epochs + 1):
        step = train_epoch(network, data, args, rng, step)
        loss, accuracy = evaluate(network, val, args.activation)
        if args.keep_best and loss < best_loss:
            best, best_loss = copy.deepcopy(network), loss
        if epoch % 20 == 0:
            print(f'epoch {epoch:3d}: validation loss {loss:.4f}, accuracy {accuracy:.2f} %', flush=True)
    save_checkpoint(Path(args.out_dir) / CHECKPOINT_FILE, network, args.epochs, step)
    return best


def write_summary(path: Path, results: dict[str, float]) -> None:
    """Write one line per keyword; ``finished`` comes last and says that the rest is complete."""
    lines = [f'{keyword} {value:g}\n' for keyword, value in results.items()]
    path.write_text(''.join([*lines, 'finished 1\n']))


def main() -> None:
    """Train, evaluate, and leave the results in the output folder."""
    args = parse_arguments()
    make_out_dir(Path(args.out_dir))
    started = time.monotonic()
    data, val, test = load_data()
    sizes = [64, *(int(size) for size in args.hidden.split(',')), 10]
    network = make_network(sizes, np.random.default_rng(args.random_seed))
    network = train(network, data, val, args)
    loss_train, acc_train = evaluate(network, data, args.activation)
    loss_val, acc_val = evaluate(network, val, args.activation)
    results = {
        'acc_val': acc_val,
        'acc_test': evaluate(network, test, args.activation)[1],
        'acc_train': acc_train,
        'loss_val': loss_val,
        'loss_train': loss_train,
        'num_epochs': args.epochs,
        'num_weights': sum(layer.weights.size + layer.bias.size for layer in network),
        'seconds': time.monotonic() - started,
    }
    write_summary(Path(args.out_dir) / SUMMARY_FILE, results)
    print(f'test accuracy {results["acc_test"]:.2f} %')


if __name__ == '__main__':
    main()
