"""Disturb many small searches at random, and count what got lost or ran twice, which hung or ended without a reason.

``python3 -m benchmarks chaos --blows=1000 --seed=1``. Every script notes its beginnings and its end in a file of its
own, the ledger. At the end of each search its ledger, its table and its processes are compared with those of a search
that was not disturbed. The same seed makes the same choices; at which instant they hit is up to the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import count
from pathlib import Path

from benchmarks.chaos.disturbed import Report, disturbed_search
from benchmarks.chaos.scenarios import SCENARIOS, compile_eio

BLOWS = (10, 40)
"""How many one search gets, at least and at most."""


def main(argv: Sequence[str] | None = None) -> int:
    """Disturb searches until there were enough blows; returns 0 if nothing went wrong."""
    args = options(argv)
    here = Path(tempfile.mkdtemp(prefix='hpsearch-chaos-', dir=args.dir))
    here.chmod(0o755)
    compile_eio(here)
    names = available(args.scenarios)
    counts: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    begin = time.monotonic()
    for report in reports(here, names, args):
        counts.update(report.counts)
        problems.update(kind for kind, _ in {(problem.kind, problem.n) for problem in report.problems})
        print_report(report, counts)
    print_counts(counts, problems, time.monotonic() - begin)
    if not problems:
        shutil.rmtree(here)
    return 1 if problems or not names else 0


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog='benchmarks chaos', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('scenarios', metavar='SCENARIO', nargs='*', help=f'{", ".join(SCENARIOS)} (default: all)')
    parser.add_argument('--blows', type=int, default=1000, help='how many, at least (default: %(default)s)')
    parser.add_argument('--minutes', type=float, default=60, help='start no search after that (default: %(default)s)')
    parser.add_argument('--seed', default='1', help='of the choices (default: %(default)s)')
    parser.add_argument('--runs', type=int, default=40, help='runs of each search (default: %(default)s)')
    parser.add_argument(
        '--jobs', type=int, default=len(os.sched_getaffinity(0)), help='searches at a time (default: one per core)'
    )
    parser.add_argument('--dir', help='where the temporary folder is made')
    args = parser.parse_args(argv)
    if unknown := [name for name in args.scenarios if name not in SCENARIOS]:
        parser.error(f'no such scenario: {", ".join(unknown)}')
    return args


def available(wanted: Sequence[str]) -> list[str]:
    """The scenarios that this machine can have; the others are named."""
    names = []
    for name in wanted or SCENARIOS:
        why = SCENARIOS[name].missing()
        print(f'{name}: {f"left out: {why}" if why else SCENARIOS[name].what}')
        names += [] if why else [name]
    return names


def reports(here: Path, names: Sequence[str], args: argparse.Namespace) -> Iterator[Report]:
    """Disturb searches side by side, the scenarios taking turns, until there were enough blows."""
    end = time.monotonic() + 60 * args.minutes
    numbers, blows = count(), 0
    pending: set[Future[Report]] = set()
    with ThreadPoolExecutor(args.jobs) as pool:
        while names:
            while len(pending) < args.jobs and blows < args.blows and time.monotonic() < end:
                number = next(numbers)
                pending.add(pool.submit(_one, here, names[number % len(names)], number, args))
            if not pending:
                return
            done = next(as_completed(pending))
            pending.remove(done)
            blows += done.result().counts['blows']
            yield done.result()


def _one(here: Path, name: str, number: int, args: argparse.Namespace) -> Report:
    path = here / f'{number}_{name}'
    report = disturbed_search(path, name, seed=f'{args.seed}/{path.name}', blows=BLOWS, runs=args.runs)
    if not report.problems:
        shutil.rmtree(path)
    return report


def print_report(report: Report, counts: Mapping[str, int]) -> None:
    """One line per search, and what went wrong in it."""
    print(f'{counts["searches"]} searches, {counts["blows"]} blows', file=sys.stderr, flush=True)
    for problem in report.problems:
        print(f'{report.path}: {problem.kind}: {problem.what}', file=sys.stderr, flush=True)


COUNTED = {
    'lost': 'runs lost',
    'twice': 'runs executed twice',
    'hangs': 'searches that hung',
    'exit': 'ends without exit status and reason',
    'table': 'searches whose table differs',
    'innocent': 'processes of others ended',
}
"""Kinds of problems, in words."""


def print_counts(counts: Mapping[str, int], problems: Mapping[str, int], seconds: float) -> None:
    """What was done, and what came of it."""
    for name, number in counts.items():
        print(f'{name.replace("_", " ")}: {number}')
    for kind, what in COUNTED.items():
        print(f'{what}: {problems.get(kind, 0)}')
    others = {kind: number for kind, number in problems.items() if kind not in COUNTED}
    print(f'other problems: {others or 0}')
    print(f'seconds: {seconds:.0f}')


if __name__ == '__main__':
    sys.exit(main())
