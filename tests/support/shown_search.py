"""A search of any size, as a dispatcher that has left leaves it, to be shown: nothing is executed for it.

Runs wait for each other on GPUs of two hosts; one in 16 fails, one in 40 is out of memory first and runs again, one in
25 is stopped early, and the last ones have not been started.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.host.kernel import this_host
from hpsearch.model.configuration import Configuration, Grid, plain_attributes
from hpsearch.model.run import Run
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from tests.support.queued_search import BEGIN, GONE, elsewhere

GPUS = ('0', '1', '2', '3')
STEPS = 10
"""Points of a curve."""

OPTIMIZERS = ('sgd', 'adam')


def grid_of(runs: int) -> Grid:
    """A grid of at least so many runs."""
    rates = max(1, math.ceil(runs / (len(OPTIMIZERS) * 5 * 2)))
    return {
        'lr': [round(10 ** (-4 + 4 * each / rates), 9) for each in range(rates)],
        'width': [8, 16, 32, 64, 128],
        'optimizer': list(OPTIMIZERS),
        'random_seed': [1, 2],
    }


def shown_search(
    path: Path,
    runs: int = 20,
    *,
    seed: int = 1,
    waiting: int = 0,
    curves: bool = True,
    grid: Grid | None = None,
    options: Mapping[str, Any] | None = None,
) -> SearchFolder:
    """Write a search folder.

    Args:
        path: The folder, which is made.
        runs: How many runs.
        seed: Of what became of them.
        waiting: How many of them, the last, have not been started.
        curves: Whether they reported metrics.
        grid: What is searched; at least ``runs`` combinations.
        options: Those in its ``search.json``.
    """
    configuration = Configuration(
        'grid.py', '', grid or grid_of(runs), script='train.py', performance_key='acc', summary_filename='summary.txt'
    )
    folder = SearchFolder(path)
    path.mkdir(parents=True)
    folder.jobs_dir.mkdir()
    described = {'attributes': plain_attributes(configuration), 'module': 'grid.py', 'cwd': str(path.parent)}
    info = {'configuration': described, 'options': dict(options or {}), 'run_cwd': '/', 'interpreter': 'python3'}
    folder.write_info(
        {**info, 'created': '2023-11-14T22:13:20+0000', 'host': 'box', 'user': 'ada', 'argv': ['hpsearch']}
    )
    Plan(configuration, Order(limit=runs), interpreter='python3', search_path=path, ident=path.name).write(folder)
    hosts = (this_host(), elsewhere('other'))
    journals = [
        Journal(folder, f'w{number}', {**host.as_header(), **GONE, 'user': 'ada', 'at': BEGIN})
        for number, host in enumerate(hosts)
    ]
    planned = list(folder.read_runs())
    _execute(planned[: len(planned) - waiting], journals, random.Random(seed), curves)
    for journal in journals:
        journal.append({'event': 'closed', 'at': BEGIN + 1e6})
        journal.close()
    return folder


def _execute(runs: Sequence[Run], journals: Sequence[Journal], chance: random.Random, curves: bool) -> None:
    """Each run goes to the GPU that is free first."""
    free = {(journal.writer, gpu): BEGIN for journal in journals for gpu in GPUS}
    by_name = {journal.writer: journal for journal in journals}
    for count, run in enumerate(runs, 1):
        numbers = [1, 2] if count % 40 == 0 else [1]
        for number in numbers:
            place = min(free, key=lambda each: free[each])
            begin, seconds = free[place], chance.uniform(30, 300)
            is_oom = number < numbers[-1]
            free[place] = begin + seconds + chance.choice((0.0, 0.0, 20.0))
            _attempt(by_name[place[0]], run, number, place[1], begin, seconds, is_oom, count, chance, curves)


def _attempt(
    journal: Journal,
    run: Run,
    number: int,
    gpu: str,
    begin: float,
    seconds: float,
    is_oom: bool,
    count: int,
    chance: random.Random,
    curves: bool,
) -> None:
    key = {'run': run.name, 'attempt': number}
    journal.append({'event': 'claimed', **key, 'gpus': [gpu], 'at': begin, 'code_id': 'c0de'})
    journal.append({'event': 'running', **key, 'handle': {}})
    acc = _accuracy(run, chance)
    if curves and not is_oom:
        points = [[step, {'val_acc': round(acc * (1 - 0.5**step), 6)}] for step in range(1, STEPS + 1)]
        journal.append({'event': 'reported', **key, 'points': points})
    measured = {'gpu_memory': 1000 + 10 * int(run.params.get('width', 8)), 'gpu_load': 0.7, 'host_memory': 512}
    end = {'event': 'ended', **key, 'seconds': round(seconds, 3), 'measured': measured}
    if is_oom:
        reason = 'out of memory on GPU ' + gpu
        journal.append({**end, 'state': 'failed', 'cause': 'oom', 'code': 256, 'reason': reason, 'failure': 'OOM'})
    elif count % 16 == 0:
        reason = 'exit status 1\nRuntimeError: the loss is nan'
        journal.append({**end, 'state': 'failed', 'cause': 'exit', 'code': 256, 'reason': reason, 'failure': 'nan'})
    elif count % 25 == 0:
        journal.append({**end, 'state': 'stopped', 'cause': 'pruned', 'reason': 'median of 8 runs at step 5'})
    else:
        summary = {'acc': f'{acc:.4f}', 'loss': f'{1 - acc:.4f}', 'finished': '1'}
        journal.append({**end, 'state': 'finished', 'cause': 'exit', 'code': 0, 'summary': summary})


def _accuracy(run: Run, chance: random.Random) -> float:
    rate, width = float(run.params.get('lr', 0.01)), int(run.params.get('width', 8))
    best = 0.9 - 0.08 * abs(math.log10(max(rate, 1e-9)) + 2.5) + 0.01 * math.log2(width)
    return min(0.999, max(0.0, best + (0.02 if run.params.get('optimizer') == 'adam' else 0.0) + chance.gauss(0, 0.01)))
