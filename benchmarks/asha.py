"""How much sooner pruners find one of the best configurations than random search does, on a simulated clock.

    python3 benchmarks/asha.py [TASK …] [--seeds=20] [--first_seed=1] [--workers=8] [--only=TEXT]

Each worker makes one step of a run per unit of time. The search ends when a run reports a loss that one configuration
of the space in a hundred reaches in its 81 steps; after so much time as 300 whole runs take it has not found it, and
counts with that time. The tasks are described in ``benchmarks/learning_curves/tasks.py``. All methods get the same
configurations in the same order, except those with a sampler that learns. Ray and Optuna are measured if installed.

Printed are the mean time of random search divided by that of the method, the range in which this quotient is in nine of
ten random choices of as many seeds (bootstrap), in how many searches the loss was found, and the mean time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

LIMIT = 300


def means_of(times: Sequence[float], random: Sequence[float]) -> tuple[float, float, float]:
    """The quotient of the mean times, and the range of nine tenths of its bootstrap."""
    draw, quotients = Random(0), []
    for _ in range(1000):
        chosen = draw.choices(range(len(times)), k=len(times))
        quotients.append(sum(random[each] for each in chosen) / sum(times[each] for each in chosen))
    quotients.sort()
    return statistics.mean(random) / statistics.mean(times), quotients[50], quotients[949]


def print_task(name: str, args: argparse.Namespace) -> None:
    """Measure all methods on a task, a line each."""
    from benchmarks.learning_curves.methods import methods
    from benchmarks.learning_curves.simulation import time_to_target
    from benchmarks.learning_curves.tasks import STEPS, TASKS

    task, limit = TASKS[name](), LIMIT * STEPS / args.workers
    print(f'\n{name}: target {task.target:.4f}, at most {limit:.0f} steps per worker', flush=True)
    random: list[float] = []
    for label, make in methods().items():
        if random and not any(text in label for text in args.only or [label]):
            continue
        seeds = range(args.first_seed, args.first_seed + args.seeds)
        found = [time_to_target(task, make(task, seed), args.workers, limit) for seed in seeds]
        times = [min(each, limit) for each in found]
        random = random or times
        quotient, low, high = means_of(times, random)
        count = sum(each < limit for each in found)
        mean = statistics.mean(times)
        print(
            f'{label:52} {quotient:6.2f}  ({low:.2f} to {high:.2f})  {count:3} of {len(found)}  {mean:7.0f}', flush=True
        )


def main() -> None:
    """Measure and print."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from benchmarks.learning_curves.tasks import TASKS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tasks', metavar='TASK', nargs='*', help=f'{", ".join(TASKS)} (default: all)')
    parser.add_argument('--seeds', type=int, default=20, help='how many searches each (default: %(default)s)')
    parser.add_argument('--first_seed', type=int, default=1, help='the first seed (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=8, help='how many runs go on at once (default: %(default)s)')
    parser.add_argument('--only', action='append', help='only methods whose names have this text')
    args = parser.parse_args()
    if unknown := [name for name in args.tasks if name not in TASKS]:
        parser.error(f'no such task: {", ".join(unknown)}')
    for name in args.tasks or TASKS:
        print_task(name, args)


if __name__ == '__main__':
    main()
