"""Measure hpsearch and print a table: ``python3 benchmarks/run.py [PART …]``, or ``make bench`` for everything.

``python3 -m benchmarks chaos`` measures nothing, but disturbs searches: see ``benchmarks/chaos``; ``python3 -m
benchmarks pbt`` trains populations on a task whose best schedule is known, see ``benchmarks/pbt.py``; ``python3 -m
benchmarks gpubox`` compares policies on a simulated GPU box, see ``benchmarks/gpubox.py``, and ``gpubox --real`` some
of them with real processes on GPUs that a stand-in library pretends; ``python3 -m benchmarks prediction`` asks how well
the needs of runs are foretold, see ``benchmarks/prediction``.

Every time stands beside a baseline measured in the same minutes, the two taking turns; medians are shown. Targets are
printed, never enforced: a busy machine is no defect of the program.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import ask_tell, cpu_box, ended, gpubox, idle, in_queue, local_runs, metrics, pbt, report, slurm, top
from benchmarks.chaos import __main__ as chaos
from benchmarks.gpu_box import real
from benchmarks.prediction import __main__ as prediction
from benchmarks.searches import make_search
from benchmarks.tools import CHECKOUT, Line, Place, hpsearch

Part = Callable[[Place, int], Iterator[Line]]

HEADINGS = Line('what; baseline', 'hpsearch', 'baseline', 'ratio', 'target')


def expansion(place: Place, rounds: int) -> Iterator[Line]:
    """Expanding and planning a large grid; a program of its own, which prints its own lines."""
    script = CHECKOUT / 'benchmarks' / 'expansion.py'
    if not script.exists():
        yield Line('expansion', 'not measured: benchmarks/expansion.py is missing')
        return
    place.timed([sys.executable, str(script), f'--repeat={min(rounds, 3)}'])
    for line in place.output().splitlines():
        what, _, value = line.rpartition(': ') if ': ' in line else line.partition(' ')
        yield Line(f'expansion: {what}', value)


PARTS: dict[str, Part] = {
    'startup': local_runs.startup,
    'throughput': local_runs.throughput,
    'gap': local_runs.gap,
    'makespan': local_runs.makespan,
    'status': ended.status,
    'results': ended.results,
    'replay': ended.replay,
    'report': report.report,
    'top': top.top,
    'idle': idle.idle,
    'cpu_box': cpu_box.cpu_box,
    'metrics': metrics.metrics,
    'ask_tell': ask_tell.ask_tell,
    'ask_tell_gp': ask_tell.ask_tell_gp,
    'expansion': expansion,
    'queue': in_queue.queue,
    'slurm': slurm.slurm,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the parts that were asked for, disturb searches, train populations, or fill a simulated GPU box."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ['chaos']:
        return chaos.main(words[1:])
    if words[:1] == ['pbt']:
        return pbt.main(words[1:])
    if words[:2] == ['gpubox', '--real']:
        return real.main(words[2:])
    if words[:1] == ['gpubox']:
        return gpubox.main(words[1:])
    if words[:1] == ['prediction']:
        return prediction.main(words[1:])
    args = options(words)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix='hpsearch-bench-', dir=args.dir) as folder:
        for fact in machine_facts(Path(folder)):
            print(fact, flush=True)
        warm_up(Place(Path(folder)).below('warm_up'))
        for name in args.parts or PARTS:
            lines += measured(name, Place(Path(folder)), args.rounds)
    print_table([HEADINGS, *lines])
    return 0


def warm_up(place: Place) -> None:
    """Let Python keep the byte code of every module that is going to be timed."""
    search = make_search(place, {'n': [1]}, ['/bin/sh', '-c', ':', 'run'])
    search.run('--cpu_jobs=1')
    place.timed(hpsearch('status', str(next(place.path.glob('out*/*')))))


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog='benchmarks', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('parts', metavar='PART', nargs='*', help=f'{", ".join(PARTS)} (default: all)')
    parser.add_argument('--rounds', type=int, default=5, help='repetitions (default: %(default)s)')
    parser.add_argument('--dir', help='where the temporary folder is made, e.g. on the file system to be measured')
    args = parser.parse_args(argv)
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown or args.rounds < 1:
        parser.error(f'no such part: {", ".join(unknown)}' if unknown else '--rounds: at least 1')
    return args


def measured(name: str, place: Place, rounds: int) -> list[Line]:
    """The lines of one part, reported on stderr while it is measured.

    Its files are left for the end, so that removing them disturbs no other part.
    """
    print(f'{name} …', end=' ', file=sys.stderr, flush=True)
    begin = time.monotonic()
    lines = list(PARTS[name](place.below(name), rounds))
    print(f'{time.monotonic() - begin:.0f} s', file=sys.stderr, flush=True)
    return lines


def machine_facts(folder: Path) -> Iterator[str]:
    """What the numbers depend on."""
    load = ', '.join(f'{value:.1f}' for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    yield f'machine: {cores} cores, {_model()}, load {load}'
    yield f'system: {platform.system()} {platform.release()}, Python {platform.python_version()}'
    yield f'file system of the measurements: {_filesystem(folder)}'
    yield f'hpsearch: {_commit()}'


def _model() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.machine())


def _filesystem(folder: Path) -> str:
    try:
        mounts = [line.split()[1:3] for line in Path('/proc/self/mounts').read_text().splitlines()]
    except OSError:
        return 'unknown'
    holding = [(len(point), kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(holding, default=(0, 'unknown'))[1]


def _commit() -> str:
    from hpsearch import __version__

    git = ['git', '-C', str(CHECKOUT), 'describe', '--always', '--dirty']
    try:
        described = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        described = ''
    return f'{__version__} {described}'.strip()


def print_table(lines: Sequence[Line]) -> None:
    """Columns as wide as their widest cell."""
    rows = [(line.what, line.ours, line.baseline, line.ratio, line.target) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == '__main__':
    sys.exit(main())
