"""How well the needs of runs are foretold: ``python3 -m benchmarks prediction [--seeds N] [--only PART]``.

*synthetic*: tasks whose needs are known, with 2 % of noise; learned from the first runs, asked of 100 others. *tables*:
published tables of memory by batch size, each row foretold from the others. *digits*: runs of ``examples/digits`` as
hpsearch has measured them, each foretold from the others.

``error``: the median by which the expected value is missed. ``too low``: the share of runs that needed more than was
expected at most, and that needed 5 % more. ``slack``: what was expected at most, divided by what was needed (median,
and in nine of ten runs).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.prediction.tasks import TASKS, Task
from benchmarks.tools import CHECKOUT
from hpsearch.model.usage.estimate import Guess
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import Predictor

DATA = CHECKOUT / 'benchmarks' / 'data'
NOISE = 0.02
RUNS = (8, 16, 24, 32, 64, 128)
ASKED = 100
PARTS = ('synthetic', 'tables', 'digits')


@dataclass(frozen=True)
class Foretold:
    """What was expected of one run, and what it needed."""

    guess: Guess
    needed: float


def scores(found: Sequence[Foretold]) -> str:
    """How good they are, in words."""
    if not found:
        return 'none'
    slack = sorted(each.guess.high / each.needed for each in found)
    error = statistics.median(abs(each.guess.expected / each.needed - 1) for each in found)
    low, very_low = (sum(each < bound for each in slack) / len(slack) for bound in (1, 1 / 1.05))
    middle, nine = statistics.median(slack), slack[int(0.9 * len(slack))]
    error_and_low = f'error {error:6.1%}  too low {low:5.1%} ({very_low:4.1%} by 5 %)'
    return f'{error_and_low}  slack {middle:5.2f} ({nine:.2f})'


def observed(params: dict[str, Any], memory: float, seconds: float) -> Observation:
    """A run that has finished."""
    return Observation('', params, Measured(gpu_memory=round(memory)), seconds, is_finished=True, is_settled=True)


# Tasks whose needs are known


def foretold_of_task(task: Task, runs: int, draw: Random) -> dict[str, list[Foretold]]:
    """What is expected of new runs after so many others."""

    def noisy() -> tuple[dict[str, Any], float, float]:
        params, memory, seconds = task(draw)
        return params, memory * math.exp(draw.gauss(0, NOISE)), seconds * math.exp(draw.gauss(0, NOISE))

    predictor, asked = Predictor([observed(*noisy()) for _ in range(runs)]), [noisy() for _ in range(ASKED)]
    found: dict[str, list[Foretold]] = {'memory': [], 'seconds': []}
    for estimate, (_, memory, seconds) in zip(predictor.estimates([each[0] for each in asked]), asked, strict=True):
        if estimate.memory and estimate.seconds:
            found['memory'].append(Foretold(estimate.memory, memory))
            found['seconds'].append(Foretold(estimate.seconds, seconds))
    return found


def print_synthetic(seeds: int) -> None:
    """All tasks."""
    for name, task in TASKS.items():
        for runs in RUNS:
            found = [foretold_of_task(task, runs, Random(f'{name} {seed}')) for seed in range(seeds)]
            for quantity in ('memory', 'seconds'):
                together = [each for one in found for each in one[quantity]]
                known = [each for each in together if each.guess.is_known]
                guessed = [each for each in together if not each.guess.is_known]
                share = len(known) / len(together)
                print(f'{name:12} {runs:4} runs  {quantity:8} known {share:4.0%}: {scores(known)}')
                if guessed and quantity == 'memory':
                    print(f'{"":32}guessed {1 - share:4.0%}: {scores(guessed)}')


# What was measured


def left_out(runs: Sequence[Observation], always: Sequence[Observation], quantity: str) -> Iterator[Foretold]:
    """Each run foretold from the others."""
    for index, run in enumerate(runs):
        guess = getattr(Predictor([*runs[:index], *runs[index + 1 :], *always]).estimate(run.params), quantity)
        measured = run.measured
        needed = {'memory': measured.gpu_memory, 'seconds': run.seconds, 'host_memory': measured.host_memory}[quantity]
        if guess and needed:
            yield Foretold(guess, needed)


def print_formula(runs: Sequence[Observation], quantity: str) -> None:
    """What is learned from all of them."""
    for each in Predictor(runs).explain():
        if each.quantity == quantity:
            shares = ', '.join(f'{name} {share:.0%}' for name, share in each.shares.items())
            print(f'    {each.formula}\n    what matters: {shares or "nothing"}')


def print_tables() -> None:
    """Published tables."""
    for table in json.loads((DATA / 'memory_tables.json').read_text())['tables']:
        names = table['columns'][:-1]
        runs = [observed(dict(zip(names, row[:-1], strict=True)), row[-1], 1.0) for row in table['rows']]
        bounds = [
            Observation('', dict(zip(names, row[:-1], strict=True)), ran_out_of=row[-1])
            for row in table.get('more_than', ())
        ]
        print(f'{table["name"]} ({len(runs)} rows): {scores(list(left_out(runs, bounds, "memory")))}')
        print_formula([*runs, *bounds], 'memory')


def print_digits() -> None:
    """Runs of the digits example, as hpsearch has measured them."""
    recorded = json.loads((DATA / 'digits_needs.json').read_text())
    runs = [
        Observation('', each['params'], Measured(host_memory=each['host_memory']), each['cpu_seconds'], True, True)
        for each in recorded['runs']
    ]
    for quantity in ('host_memory', 'seconds'):
        print(f'digits, {len(runs)} runs, {quantity}: {scores(list(left_out(runs, (), quantity)))}')
        print_formula(runs, quantity)


def print_speed() -> None:
    """How long learning takes."""
    draw = Random(0)
    drawn = [TASKS['transformer'](draw) for _ in range(1500)]
    began = time.process_time()
    predictor = Predictor([observed(*each) for each in drawn[:500]])
    predictor.quantities  # noqa: B018 - that is when it learns
    learned = time.process_time()
    predictor.estimates([params for params, _, _ in drawn[500:]])
    asked = time.process_time()
    print(f'learning from 500 runs: {learned - began:.2f} s of CPU; foretelling 1,000: {asked - learned:.3f} s')


def main(words: Sequence[str] | None = None) -> int:
    """Print all parts, or those that were asked for."""
    parser = argparse.ArgumentParser(prog='benchmarks prediction', description=__doc__)
    parser.add_argument('--seeds', type=int, default=20, help='drawings of each task (default: %(default)s)')
    parser.add_argument('--only', choices=PARTS, action='append', help='a part; may be given several times')
    args = parser.parse_args(words)
    parts = args.only or PARTS
    if 'synthetic' in parts:
        print_synthetic(args.seeds)
        print_speed()
    if 'tables' in parts:
        print_tables()
    if 'digits' in parts:
        print_digits()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
