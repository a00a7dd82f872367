"""The same in a short form with real processes on stand-in GPUs: ``python3 -m benchmarks gpubox --real``.

Whole searches, one after the other: what is measured is what a user would see, with the readings, the start-up times
and the decisions of hpsearch itself. Everything takes a twentieth of the time it would take, start-up times included.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.packed import PackedProject, packed

SIZES = (8000, 8000, 16000)
"""MiB of each GPU."""

FASTER = 20
"""How many times as fast as on a real box everything goes."""

DELAY = 60 / FASTER
"""Seconds between two starts on one GPU, as the original has it: a minute."""

FORMULAS: Mapping[str, str] = {
    'memory': '600 + batch_size * width * depth / 100',
    'load': '0.1 + width / 2560',
    'seconds': '2 + batch_size * depth / 256',
    'startup': '0.6',
    'acc': '1 / depth',
}
"""What runs use: from 0.7 to 5.7 GB, with a load of 0.15 to 0.3."""

POLICIES: Mapping[str, tuple[str, ...]] = {
    'original, 1 per GPU': (f'--sim_startup_time={DELAY:g}',),
    'original, 5 per GPU': (f'--sim_startup_time={DELAY:g}', '--max_num_jobs_per_gpu=5'),
    'fixed, 3 per GPU, by hand': (
        f'--sim_startup_time={DELAY / 2:g}', '--max_num_jobs_per_gpu=3', '--allowed_memory=0.75', '--allowed_load=0.8',
    ),
    'packing': ('--packing=auto', f'--sim_startup_time={DELAY:g}'),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of a search.

    Attributes:
        makespan: Seconds from its first start to its last end.
        out_of_memory: How often a run found no room.
        lost: Runs that did not finish.
        most: The largest share (0-1) of a card's memory that was ever in use.
    """

    makespan: float
    out_of_memory: int
    lost: int
    most: float


def grid(count: int, seed: int) -> dict[str, list[Any]]:
    """So many values of each parameter, which go together."""
    rng = random.Random(seed)
    return {
        'batch_size': [rng.choice((16, 32, 64, 128)) for _ in range(count)],
        'width': [rng.choice((128, 256, 512)) for _ in range(count)],
        'depth': [rng.choice((2, 4, 8)) for _ in range(count)],
        'seed': [*range(count)],
    }


def main(argv: Sequence[str]) -> int:
    """Print how long each policy takes and how often memory runs out."""
    args = options(argv)
    values = grid(args.runs, args.seed)
    print(f'{args.runs} runs on GPUs of {", ".join(map(str, SIZES))} MiB; at least {bound(values):.1f} s')
    print(f'{"policy":30} {"s":>6} {"ratio":>6} {"oom":>4} {"lost":>5} {"memory":>7}')
    for policy, words in POLICIES.items():
        if not args.only or any(word in policy for word in args.only):
            found = search(values, words)
            ratio = found.makespan / bound(values)
            print(
                f'{policy:30} {found.makespan:6.1f} {ratio:6.2f} {found.out_of_memory:4d} {found.lost:5d} '
                f'{found.most:7.0%}',
                flush=True,
            )
    return 0


def options(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog='benchmarks gpubox --real', description=main.__doc__)
    parser.add_argument('--runs', type=int, default=24, help='how many (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='of their parameters (default: %(default)s)')
    parser.add_argument('--only', metavar='WORD', action='append', help='only policies with this in their name')
    return parser.parse_args(argv)


def bound(values: Mapping[str, list[Any]]) -> float:
    """Seconds that no policy can do without: the load and the memory there are in all, and the longest run."""
    runs = [dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True)]
    needs = [{name: float(eval(formula, {}, run)) for name, formula in FORMULAS.items()} for run in runs]
    work = sum(need['load'] * need['seconds'] for need in needs) / len(SIZES)
    memory = sum(need['memory'] * need['seconds'] for need in needs) / sum(SIZES)
    return max(work, memory, *(need['seconds'] + need['startup'] for need in needs))


def search(values: Mapping[str, list[Any]], words: Sequence[str]) -> Outcome:
    """Search in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix='hpsearch-gpubox-') as folder,
        packed(Path(folder) / 'project', SIZES, **FORMULAS) as project,
    ):
        project.configure(values, f'zipped = [{[*values]!r}]\n')
        return _outcome(project, words, len(values['seed']))


def _outcome(project: PackedProject, words: Sequence[str], count: int) -> Outcome:
    done = project.search('--fail_fast=0', *words)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    peaks = project.box.peaks()
    most = max(peaks.get(str(gpu), 0) / size for gpu, size in enumerate(SIZES))
    finished = sum(row['hpsearch_state'] == 'finished' for row in project.rows())
    return Outcome(project.makespan(), project.box.out_of_memory(), count - finished, most)
