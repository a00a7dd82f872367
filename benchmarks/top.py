"""``hpsearch top`` of a search of 10,000 runs: how soon it is seen, and what it costs to go on watching it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.tools import Line, Place, hpsearch
from hpsearch.cli.viewing.top.following import FollowedSearch
from hpsearch.host.kernel import this_host
from hpsearch.store.journal import own_journal
from hpsearch.ui.top.paint import Look, paint
from hpsearch.ui.top.view import View
from tests.support.shown_search import shown_search

RUNS = 10_000
RUNNING = 8
LOOKS = 20
"""Times that it is read, each time after every run under way has reported once more, as in a second of a search."""


def top(place: Place, rounds: int) -> Iterator[Line]:
    """The first frame from the command on, and the processor time of a second of watching."""
    folder = shown_search(place.path / 'search', RUNS, waiting=RUNNING)
    times = [place.timed(hpsearch('top', '--once', str(folder.path))).wall for _ in range(min(rounds, 3))]
    yield Line(f'top of {RUNS:,} runs: first frame', f'{statistics.median(times):.1f} s')
    runs = [run.name for run in folder.read_runs()][-RUNNING:]
    with own_journal(folder, this_host()) as journal:
        for run in runs:
            journal.append({'event': 'claimed', 'run': run, 'attempt': 1, 'gpus': ['0'], 'at': time.time()})
            journal.append({'event': 'running', 'run': run, 'attempt': 1, 'handle': {}})
        search = FollowedSearch(folder, time.time())
        costs = []
        for step in range(LOOKS):
            for run in runs:
                journal.append({'event': 'reported', 'run': run, 'attempt': 1, 'points': [[step, {'acc': step / 9}]]})
            begin = time.process_time()
            search.read_on(time.time())
            paint(View('runs'), search.shown(), Look(160, 45))
            costs.append(time.process_time() - begin)
    yield Line(
        f'top: watching {RUNNING} runs that report each second',
        f'{100 * statistics.median(costs):.1f} % of a core',
        target='< 10 %',
    )
