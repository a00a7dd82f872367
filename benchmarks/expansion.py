"""How long it takes to expand and plan a large grid, against a bare product loop in the same process.

    python3 benchmarks/expansion.py [--values=10] [--repeat=3]

Prints the ratio for a grid of 10^6 combinations (six options of ten values) with a condition, whose three files are
written, and the memory that sampling a grid of 10^12 combinations takes.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from hpsearch.model.configuration import Condition, Configuration, Grid
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder


def example_grid(values: int) -> tuple[Grid, list[Condition]]:
    """Six options of as many values, and a condition that matches a tenth of them and adds an option."""
    grid: Grid = {
        'lr': [10.0**-power for power in range(values)],
        'hidden': [f'{width},{width}' for width in range(values)],
        'optimizer': [f'optimizer{number}' for number in range(values)],
        'batch_size': [2**power for power in range(values)],
        'weight_decay': [number / 7 for number in range(values)],
        'random_seed': list(range(values)),
    }
    return grid, [
        ({'optimizer': ['optimizer1']}, {'momentum': [0.0, 0.9], 'weight_decay': [0.0, 1e-4, 1e-3, 0.01, 0.1]})
    ]


def bare_loop(grid: Grid) -> int:
    """The baseline: the same dicts and one JSON dump of each."""
    return sum(len(json.dumps(dict(zip(grid, chosen, strict=True)))) for chosen in itertools.product(*grid.values()))


def planned(grid: Grid, conditions: list[Condition], order: Order, folder: Path) -> int:
    """Expand and plan as the command line does, all three files written; the number of runs."""
    configuration = Configuration('config.py', '', grid, conditions, script='train.py')
    plan = Plan(configuration, order, interpreter='python3', search_path=folder, ident='20261120231900')
    return plan.write(SearchFolder(folder)).runs


def seconds(work: Callable[[], object]) -> float:
    """Duration of one call."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report_speed(values: int, repeat: int, folder: Path) -> None:
    """Print both times and their ratio, the medians of interleaved repetitions."""
    grid, conditions = example_grid(values)
    runs = planned(grid, conditions, Order(), folder)
    pairs = [
        (seconds(lambda: bare_loop(grid)), seconds(lambda: planned(grid, conditions, Order(), folder)))
        for _ in range(repeat)
    ]
    bare, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / bare for bare, ours in pairs)
    print(f'combinations {values**6:,}, runs {runs:,}')
    print(f'bare product loop with a JSON dump each: {bare:.2f} s')
    print(f'expanded and planned, three files written: {ours:.2f} s')
    print(f'ratio {ratio:.2f} (at most 3)')


def report_memory(values: int, folder: Path) -> None:
    """Print time and peak memory of sampling 1000 runs."""
    grid, conditions = example_grid(values)
    sample = Order(limit=1000)
    took = seconds(lambda: planned(grid, conditions, sample, folder))
    tracemalloc.start()
    planned(grid, conditions, sample, folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f'1000 runs sampled of {values**6:,} combinations: {took:.3f} s, {peak / 2**20:.1f} MiB at most')


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--values', type=int, default=10, help='values per option; there are six options')
    parser.add_argument('--repeat', type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for values in (10, 100):
            report_memory(values, Path(folder))
        report_speed(options.values, options.repeat, Path(folder))


if __name__ == '__main__':
    main()
