"""Searches on a real Slurm: how long they take beside the ideal of the slots, and how often Slurm is called.

The cluster is the one of the tests, see ``tests/e2e/slurm/cluster.py``: four nodes with 8 CPUs each, all on this host,
so that its few processors do the work of controller, nodes and runs.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.searches import make_search
from benchmarks.tools import Line, Place, Sample
from tests.e2e.slurm.cluster import Cluster, any_cluster, missing

SLOTS = 32
PILOTS = 4
CALLED = ('sbatch', 'squeue', 'sacct', 'scancel', 'scontrol')
SECOND = ('/bin/sh', '-c', 'sleep 1', 'run')
QUEUE = ('--run_cluster', '--scheduler=slurm', '--slurm_gres=', '--num_hours=1')

WRAPPER = """\
#!/bin/sh
echo {name} >> {calls}
exec {program} "$@"
"""


@dataclass(frozen=True)
class Measured:
    """One search.

    Attributes:
        seconds: From its start to its exit.
        calls: Command of Slurm to how often hpsearch and its jobs called it.
    """

    seconds: float
    calls: Counter[str]

    @property
    def in_words(self) -> str:
        """Seconds, and calls."""
        others = ', '.join(f'{self.calls[name]} {name}' for name in CALLED if name != 'squeue' and self.calls[name])
        return f'{self.seconds:.0f} s, {others}, {60 * self.calls["squeue"] / self.seconds:.1f} squeue/min'


def slurm(place: Place, rounds: int) -> Iterator[Line]:
    """3,000 runs of a second in pilots, 1,000 in arrays, and 1,200 of nothing, more than one array may have."""
    if problem := missing():
        yield Line('slurm', f'not measured: {problem}')
        return
    with any_cluster(os.environ) as cluster:
        cluster.reset()
        yield from lines(place, cluster)


def lines(place: Place, cluster: Cluster) -> Iterator[Line]:
    """Measure each once: they take minutes."""
    pilots = ['--slurm_mem=4000', '--slurm_cpus=8', f'--num_jobs={PILOTS}', f'--runs_per_job={SLOTS // PILOTS}']
    jobs = ['--slurm_mem=100', f'--num_jobs={SLOTS}']
    for kind, count, command, options in (
        (f'{PILOTS} pilots of {SLOTS // PILOTS}', 3000, SECOND, pilots),
        (f'arrays, {SLOTS} jobs at a time', 1000, SECOND, jobs),
        (f'arrays, {SLOTS} jobs at a time', 1200, ('/bin/true',), jobs),
    ):
        measured = search(place, cluster, count, command, [*QUEUE, *options])
        what = f'slurm: {count:,} x {"1 s" if command is SECOND else "true"}, {kind}'
        if options is pilots:
            yield line(f'{what}; the ideal of the slots', measured, count / SLOTS)
        else:
            yield line(f'{what}; one array by hand', measured, by_hand(place, cluster, count, command))


def line(what: str, measured: Measured, baseline: float) -> Line:
    """A line of the table; the target is what the queue is asked."""
    target = 'sbatch: 1 per 1,000 runs or pilot; squeue: 2/min'
    return Line(what, measured.in_words, f'{baseline:.0f} s', f'{measured.seconds / baseline:.2f}', target)


def search(place: Place, cluster: Cluster, count: int, command: Sequence[str], options: Sequence[str]) -> Measured:
    """The whole command, on an idle cluster."""
    folder = place.below(f'{count}').path
    calls = folder / 'calls'
    calls.touch()
    variables = {**cluster.variables(), 'PATH': f'{wrappers(folder, calls)}{os.pathsep}{os.environ["PATH"]}'}
    made = make_search(Place(folder, variables), {'n': list(range(count))}, command)
    cluster.wait_idle()
    sample: Sample = made.run(*options)
    return Measured(sample.wall, Counter(calls.read_text().split()))


def wrappers(folder: Path, calls: Path) -> Path:
    """A folder of commands that are Slurm's, and note that they were called."""
    programs = folder / 'bin'
    programs.mkdir()
    for name in CALLED:
        (programs / name).write_text(WRAPPER.format(name=name, calls=calls, program=shutil.which(name)))
        (programs / name).chmod(0o755)
    return programs


def by_hand(place: Place, cluster: Cluster, count: int, command: Sequence[str]) -> float:
    """Seconds that as many jobs take which do the same and leave nothing, as arrays of at most a thousand."""
    cluster.wait_idle()
    begin = time.monotonic()
    code = 'sleep 1' if command is SECOND else ':'
    for size in (min(1000, count), count - 1000):
        if size > 0:
            words = [f'--array=1-{size}%{SLOTS}', '--mem=100', '--output=/dev/null', f'--chdir={place.path}']
            cluster.ask('sbatch', *words, stdin=f'#!/bin/sh\n{code}\n')
    while cluster.ask('squeue', '--noheader', '--states=PENDING,RUNNING').strip():
        time.sleep(0.5)
    return time.monotonic() - begin
