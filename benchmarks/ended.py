"""A search of 100,000 ended runs: how long its status and its table take, and whether they grow with its size only."""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks.tools import Line, Place, both, hpsearch, interleaved, median_ratio, wall
from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import plain_attributes
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.table import Row, row_of, table
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader
from hpsearch.store.results import ResultsView

SIZES = (10_000, 100_000)
KEY = 'accuracy'

PARSE_JOURNAL = """\
import glob, json, sys
for path in glob.glob(sys.argv[1] + '/journal/*.jsonl'):
    for line in open(path, 'rb'):
        json.loads(line)
"""
"""The baseline of ``status``: no less can be done by a reader of the same journal, line by line."""

SCRIPT = """\
import os, sys
folder = sys.argv[1].partition('=')[2]
os.mkdir(folder)
with open(os.path.join(folder, 'performance_overview.txt'), 'w') as summary:
    summary.write('accuracy 0.5\\nloss 0.1\\nfinished 1\\n')
"""

MODULE = """\
grid = {{'lr': [i / 1000 for i in range(100)], 'batch_size': list(range({batches})), 'random_seed': list(range(10))}}
conditions = []
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['accuracy', 'loss', 'finished']
_PERFORMANCE_KEY = 'accuracy'
"""


def status(place: Place, rounds: int) -> Iterator[Line]:
    """``hpsearch status`` of 10,000 and of 100,000 ended runs, and of the least there is."""
    folders = {size: ended_search(place.below(str(size)), size) for size in (1000, *SIZES)}
    largest = str(folders[SIZES[-1]].path)
    samples = interleaved(
        {
            'parse': lambda: place.timed([sys.executable, '-c', PARSE_JOURNAL, largest]),
            'text': lambda: place.timed(hpsearch('status', largest)),
            'json': lambda: place.timed(hpsearch('status', '--json', largest)),
            '10k': lambda: place.timed(hpsearch('status', str(folders[SIZES[0]].path))),
            '1k': lambda: place.timed(hpsearch('status', str(folders[1000].path))),
        },
        min(rounds, 3),
    )
    for name in ('text', 'json'):
        peak = statistics.median(sample.peak for sample in samples[name])
        yield Line(
            f'status{" --json" if name == "json" else ""}, 100,000 ended; json.loads of each line',
            f'{both(samples[name])}, {peak:.0f} MiB',
            both(samples['parse']),
            f'{median_ratio(samples[name], samples["parse"]):.2f}',
            '< 3 s',
        )
    fixed = wall(samples['1k'])
    yield linear_line('status', (wall(samples['10k']) - fixed) / 9, (wall(samples['text']) - fixed) / 99)


def linear_line(what: str, small: float, large: float) -> Line:
    """Seconds per 1000 runs in a small and in a large search, and their ratio."""
    return Line(
        f'{what}: ms per 1000 runs, 100,000 against 10,000',
        f'{1000 * large:.2f}',
        f'{1000 * small:.2f}',
        f'{large / small:.2f}',
        '1 is linear',
    )


def results(place: Place, rounds: int) -> Iterator[Line]:
    """Rebuilding ``search_results.csv`` from rows in memory."""
    views = {size: view_of(place, size) for size in SIZES}
    columns, cells = table(views[SIZES[-1]].rows, KEY, False)
    lines = list(cells)
    taken: dict[str, list[float]] = {'csv': [], 'small': [], 'large': []}
    for _ in range(rounds):
        taken['csv'].append(seconds(lambda: bare_csv(place.path / 'bare.csv', columns, lines)))
        taken['small'].append(seconds(views[SIZES[0]].rebuild))
        taken['large'].append(seconds(views[SIZES[-1]].rebuild))
    bare, small, large = (statistics.median(times) for times in taken.values())
    yield Line(
        'results CSV, 100,000 rows; csv.writer of finished cells',
        f'{large:.2f} s',
        f'{bare:.2f} s',
        f'{large / bare:.2f}',
    )
    yield linear_line('results CSV', small / 10, large / 100)


def seconds(work: Callable[[], object]) -> float:
    """Duration of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def bare_csv(path: Path, columns: list[str], cells: list[list[str]]) -> None:
    """The baseline of the table: the same cells, which need neither be made nor sorted any more."""
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, delimiter=';')
        writer.writerow(columns)
        writer.writerows(cells)


def view_of(place: Place, size: int) -> ResultsView:
    """The table of so many finished runs."""
    view = ResultsView(place.path / f'{size}.csv', KEY, False)
    for number in range(1, size + 1):
        view.put(row(number, place.path))
    return view


def row(number: int, folder: Path) -> Row:
    """A finished run as the dispatcher puts it into the table."""
    name = f'sim_20261120231900_{number:06d}'
    params = {'lr': number / 1000, 'batch_size': number % 100, 'hidden': '"200,200"', 'random_seed': number % 10}
    ended = Attempt(name, 1, State.FINISHED, summary=summary(number), seconds=1.5)
    return row_of(Run(name, number, params, ()), ended, str(folder / name), 'out_dir')


def summary(number: int) -> dict[str, str]:
    """What a run left, its performance in no order."""
    return {'accuracy': f'{number * 7919 % 100003 / 100003}', 'loss': f'{1 / number}', 'finished': '1'}


def replay(place: Place, rounds: int) -> Iterator[Line]:
    """``hpsearch resume`` of a search in which 100,000 runs have ended and ten are left to do."""
    folder = ended_search(place.below('replay'), SIZES[-1], left=10)
    begin = time.time()
    sample = place.timed(hpsearch('resume', str(folder.path), '--cpu_jobs=1', '--fail_fast=0'))
    claims = [event['at'] for _, event in JournalReader(folder).news() if event['event'] == 'claimed']
    first = min(at for at in claims if at > begin) - begin
    yield Line(
        'resume, 100,000 runs ended: first new run claimed',
        f'{first:.2f} s, {sample.peak:.0f} MiB',
        '',
        '',
        '< 5 s, < 500 MiB',
    )


def ended_search(place: Place, size: int, left: int = 0) -> SearchFolder:
    """A search with a plan and a journal: all runs but ``left`` have ended, one in a hundred failed if none is left."""
    module = place.path / 'grid_module.py'
    module.write_text(MODULE.format(batches=size // 1000))
    configuration = load_configuration(str(module), cwd=place.path)
    folder = SearchFolder(place.path / 'search')
    folder.path.mkdir()
    (place.path / 'train.py').write_text(SCRIPT)
    about = {'module': str(module), 'cwd': str(place.path), 'attributes': plain_attributes(configuration)}
    folder.write_info({'configuration': about, 'run_cwd': str(place.path), 'interpreter': 'python3'})
    folder.jobs_dir.mkdir()
    plan = Plan(configuration, Order(), interpreter='python3', search_path=folder.path, ident='20261120231900')
    plan.write(folder)
    journal = Journal(folder, '20261120-231900_host_1_ab12', {'host': 'host', 'boot': '', 'pid': 1, 'at': 1.7e9})
    for run in islice(folder.read_runs(), size - left):
        journal_run(journal, run, may_fail=not left)
    journal.append({'event': 'closed'})
    journal.close()
    return folder


def journal_run(journal: Journal, run: Run, *, may_fail: bool) -> None:
    """The events of one run, as the dispatcher writes them."""
    about = {'run': run.name, 'attempt': 1}
    handle = {'host': 'host', 'boot': 'b' * 36, 'namespace': 'pid:[4026531836]', 'pid': run.number, 'ticks': '123456'}
    journal.append({'event': 'claimed', **about, 'gpus': ('0',), 'at': 1.7e9 + run.number})
    journal.append({'event': 'running', **about, 'handle': handle})
    failed = may_fail and run.number % 100 == 0
    journal.append(
        {
            'event': 'ended',
            **about,
            'state': (State.FAILED if failed else State.FINISHED).value,
            'code': int(failed),
            'cause': 'exit',
            'reason': 'exit status 1' if failed else '',
            'summary': {} if failed else summary(run.number),
            'seconds': 1.5,
            **({'failure': f'ValueError: kind {run.number % 7}'} if failed else {}),
        }
    )
