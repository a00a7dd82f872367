"""Runs that share the cores of a machine: what it is worth that each starts only as many threads as its share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator

from benchmarks.searches import Search, make_search
from benchmarks.tools import Line, Place, both, interleaved, median_ratio
from hpsearch.host.machine.reading import core_count

RUNS = 8
"""Runs at a time."""

THREADS = 8
"""Threads that each starts on a machine with as many cores."""

MULTIPLICATIONS = """\
import numpy
a = numpy.random.default_rng(0).random((384, 384))
for step in range(100):
    a = a @ a / numpy.linalg.norm(a @ a)
"""
"""A training script without the training: products of matrices of the size of a small layer, one after the other."""


def cpu_box(place: Place, rounds: int) -> Iterator[Line]:
    """As many runs as :data:`RUNS`, all at a time, with the share of each and with all the threads of all."""
    if importlib.util.find_spec('numpy') is None:
        yield Line('runs with threads', 'not measured: numpy is missing')
        return
    counts = sorted({int(core_count()), THREADS})
    searches = {count: _search(place.below(f'{count}_threads'), count) for count in (0, *counts)}
    taken = interleaved({str(n): lambda n=n: searches[n].run(f'--cpu_jobs={RUNS}') for n in searches}, rounds)
    for count in counts:
        own, others = taken['0'], taken[str(count)]
        what = f'{RUNS} numpy runs at a time, each with its share of the cores; with {count} threads'
        yield Line(what, both(own), both(others), f'{median_ratio(others, own):.2f} times as fast', '> 1')


def _search(place: Place, threads: int) -> Search:
    """A search whose runs start so many threads, since the user says so; 0: hpsearch decides."""
    place = Place(place.path, {'OMP_NUM_THREADS': str(threads or '')})
    (place.path / 'train.py').write_text(MULTIPLICATIONS)
    return make_search(place, {'seed': list(range(RUNS))}, [sys.executable, 'train.py'], OUT_ARG=None)
