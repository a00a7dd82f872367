"""Training tasks of which it is known what a run needs: memory (MiB) and seconds as formulas of parameters.

They are no copies of the formulas that hpsearch fits: some have more parts than these may have, some have reciprocals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any, TypeAlias

Params: TypeAlias = dict[str, Any]
Task: TypeAlias = Callable[[Random], tuple[Params, float, float]]
"""Draws a run: its parameters, its memory in MiB, its seconds."""


def _log_uniform(draw: Random, low: float, high: float) -> float:
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def _power_of_two(draw: Random, low: int, high: int) -> int:
    return 1 << draw.randint(low.bit_length() - 1, high.bit_length() - 1)


def perceptron(draw: Random) -> tuple[Params, float, float]:
    """Weights, the state of the optimizer, activations; faster with large batches."""
    params: Params = {
        'batch_size': _power_of_two(draw, 16, 512),
        'width': _power_of_two(draw, 64, 2048),
        'depth': draw.randint(2, 8),
        'lr': _log_uniform(draw, 1e-4, 1e-1),
        'dropout': round(draw.uniform(0, 0.5), 2),
        'optimizer': draw.choice(['sgd', 'adam']),
        'seed': draw.randint(0, 99999),
    }
    weights = params['depth'] * params['width'] ** 2
    states = 2 if params['optimizer'] == 'sgd' else 4
    activations = params['batch_size'] * params['width'] * params['depth'] * 3
    return params, 600 + 4 * (weights * states + activations) / 2**20, 20 + 0.025 * weights / params['batch_size']


def convolutions(draw: Random) -> tuple[Params, float, float]:
    """Three networks, each with its own weights and activations; memory goes with the square of the image size."""
    params: Params = {
        'batch': _power_of_two(draw, 8, 256),
        'image': draw.choice([32, 64, 96, 128, 224]),
        'model': draw.choice(['resnet18', 'resnet50', 'vgg']),
        'lr': _log_uniform(draw, 1e-4, 1e-1),
        'wd': _log_uniform(draw, 1e-6, 1e-2),
        'epochs': draw.choice([10, 20, 40]),
        'augment': draw.choice([True, False]),
        'out': f'/out/{draw.random()}',
    }
    weights, per_pixel = {'resnet18': (180, 4.2e-4), 'resnet50': (400, 1.8e-3), 'vgg': (2100, 2.2e-3)}[params['model']]
    pixels = params['image'] ** 2
    seconds = 30 + params['epochs'] * (40 + 0.002 * pixels * weights / 400)
    return params, 700 + weights + params['batch'] * pixels * per_pixel, seconds


def transformer(draw: Random) -> tuple[Params, float, float]:
    """Embeddings, layers, activations and attention, in one of two precisions: more parts than a formula has."""
    params: Params = {
        'bs': draw.choice([2, 4, 8, 16, 32]),
        'seq': draw.choice([64, 128, 256, 512]),
        'd': draw.choice([128, 256, 512, 768]),
        'layers': draw.choice([2, 4, 6, 12]),
        'heads': draw.choice([2, 4, 8]),
        'lr': _log_uniform(draw, 1e-5, 1e-3),
        'warmup': draw.choice([0, 100, 1000]),
        'precision': draw.choice(['fp16', 'fp32']),
    }
    width = 2 if params['precision'] == 'fp16' else 4
    weights = 12 * params['layers'] * params['d'] ** 2 + 30000 * params['d']
    activations = 8 * params['bs'] * params['seq'] * params['d'] * params['layers'] * width
    attention = 2 * params['bs'] * params['heads'] * params['seq'] ** 2 * params['layers'] * width
    seconds = 60 + weights * params['bs'] * params['seq'] * 3e-9
    return params, 800 + (16 * weights + activations + attention) / 2**20, seconds


def layers(draw: Random) -> tuple[Params, float, float]:
    """Widths of layers as a text."""
    widths = [_power_of_two(draw, 32, 1024) for _ in range(draw.randint(1, 4))]
    params: Params = {
        'hidden': ','.join(map(str, widths)),
        'batch': str(_power_of_two(draw, 32, 1024)),
        'lr': _log_uniform(draw, 1e-4, 1e-1),
        'name': f'run {draw.random()}',
        'activation': draw.choice(['relu', 'tanh', 'gelu']),
    }
    whole = [784, *widths, 10]
    weights = sum(one * other for one, other in pairwise(whole))
    return params, 500 + (160 * weights + 200 * int(params['batch']) * sum(whole)) / 2**20, 10 + 1e-4 * weights


def distractors(draw: Random) -> tuple[Params, float, float]:
    """Ten numbers, of which two matter."""
    params: Params = {'batch': _power_of_two(draw, 16, 256), 'width': _power_of_two(draw, 64, 1024)}
    params.update({f'f{number}': _log_uniform(draw, 1e-3, 1) for number in range(8)})
    return params, 1000 + 0.05 * params['batch'] * params['width'], 20 + 100 * params['f0']


def small_grid(draw: Random) -> tuple[Params, float, float]:
    """A usual grid, of which only the batch size matters."""
    params: Params = {
        'batch': draw.choice([32, 64, 128, 256]),
        'lr': draw.choice([0.1, 0.01, 0.001]),
        'wd': draw.choice([0, 1e-4, 1e-3]),
        'seed': draw.randint(0, 4),
    }
    return params, 900.0 + 12 * params['batch'], 100 + 6400 / params['batch']


TASKS: dict[str, Task] = {
    'perceptron': perceptron,
    'convolutions': convolutions,
    'transformer': transformer,
    'layers': layers,
    'distractors': distractors,
    'small grid': small_grid,
}
