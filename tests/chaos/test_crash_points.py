"""A dispatcher that ends at any file operation, and at any operation of the resume after it: nothing is lost by it.

By default a sample of the points is tried; HPSEARCH_ALL_CRASH_POINTS=1 tries all of them (minutes).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.judges import folder_problems, ledger_problems, process_problems
from benchmarks.chaos.place import Place
from benchmarks.chaos.scenarios import ADAPTIVE as ADAPTIVE_OPTIONS
from tests.chaos.crash_driver import CRASHED, RUNS
from tests.support.paths import REPOSITORY

ALL = bool(os.environ.get('HPSEARCH_ALL_CRASH_POINTS'))
HOW = ('before', 'after', 'half')
SAMPLE = 16

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='operations are recognised by /proc')


ADAPTIVE = ' '.join(ADAPTIVE_OPTIONS).format(runs=RUNS)
"""A search that chooses its runs, until it has chosen all that a grid has."""


PRUNING = '--prune=asha'
"""A search whose last run is stopped because of its metrics."""


def crash(folder: Path, chains: Sequence[str], options: str = '') -> list[dict[str, Any]]:
    """Go through chains of crash points, of a search with more options."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / 'tests' / 'chaos' / 'crash_driver.py'), str(folder), *chains],
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY), 'CRASH_OPTIONS': options},
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def problems_of(result: dict[str, Any]) -> Iterator[str]:
    """What went wrong in one chain."""
    place = Place(Path(result['path']), RUNS)
    yield from wrong_codes(result)
    yield from (problem.what for problem in ledger_problems(place, {}))
    if not place.folder.results_csv.exists():
        yield 'there is no table'
        return
    yield from (problem.what for problem in folder_problems(place, may_be_odd='half' in result['chain']))
    yield from (problem.what for problem in process_problems(place))
    yield from missing_logs(place)


def wrong_codes(result: dict[str, Any]) -> Iterator[str]:
    """Exit codes that are not as they should be."""
    codes, points = result['codes'], result['chain'].count(':')
    # The order of events differs a little each time: a late point may never be reached.
    if not set(codes[:points]) <= {CRASHED, 0} or codes[points:] not in ([0], [2, 0]):
        yield f'exit codes {codes}'


def problems_of_pruning(result: dict[str, Any]) -> Iterator[str]:
    """What went wrong in a chain in which the last run is stopped because of its metrics."""
    place = Place(Path(result['path']), RUNS)
    yield from wrong_codes(result)
    # An attempt that was claimed and never began counts.
    noted = {number: [line.split()[0] for line in lines] for number, lines in place.ledger().items()}
    if noted != {number: ['begin', 'end'] if number < RUNS else ['begin'] for number in place.numbers}:
        yield f'ran otherwise: {noted}'
    if not place.folder.results_csv.exists():
        yield 'there is no table'
        return
    rows = [(row['n'], row['hpsearch_state'], row['acc']) for row in place.table()]
    states = [(str(number), 'finished' if number < RUNS else 'stopped', f'0.{number}') for number in place.numbers]
    if rows != states:
        yield f'the table has {rows}'
    yield from (problem.what for problem in process_problems(place))
    yield from missing_logs(place)


def missing_logs(place: Place) -> Iterator[str]:
    """Runs whose logs are not where people look for them."""
    for run in place.folder.read_runs():
        log = place.folder.output(run.name) / f'job_{run.name}.out'
        if not log.exists() or log.read_text() != f'training {run.params["n"]}\n':
            yield f'{run.name} has no log in its output folder'


def assert_that_none_matters(
    folder: Path,
    chains: Sequence[str],
    options: str = '',
    judge: Callable[[dict[str, Any]], Iterator[str]] = problems_of,
) -> None:
    """Go through chains and judge each."""
    found = {}
    for result in crash(folder, chains, options):
        if problems := list(judge(result)):
            printed = Place(Path(result['path']), RUNS).printed()
            found[result['chain']] = (result['path'], problems, printed[-400:])
    assert not found, '\n'.join(f'{chain}: {problems}' for chain, problems in found.items())


def sample(chains: Sequence[str], seed: str) -> list[str]:
    """All chains, or some of them that are well spread."""
    if ALL:
        return list(chains)
    step = len(chains) / SAMPLE
    return [chains[int((index + random.Random(f'{seed}{index}').random()) * step)] for index in range(SAMPLE)]


@pytest.fixture(scope='module')
def operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many operations the search makes that is not disturbed."""
    (result,) = crash(tmp_path_factory.mktemp('undisturbed') / 'here', [''])
    assert list(problems_of(result)) == []
    return int(result['counts'][0])


def test_that_the_driver_counts_the_journal_and_the_files_of_attempts(operations: int) -> None:
    assert operations > 20 * RUNS


def test_that_a_search_is_resumed_wherever_it_ended(operations: int, tmp_path: Path) -> None:
    chains = [f'{at}:{how}' for at in range(1, operations - 2) for how in HOW]
    assert_that_none_matters(tmp_path / 'search', sample(chains, 'search'))


def test_that_a_resume_is_resumed_wherever_it_ended(operations: int, tmp_path: Path) -> None:
    (first,) = crash(tmp_path / 'count', [f'{operations // 2}:after'])
    rest = int(first['counts'][1])
    halves = (operations // 3, operations // 2)
    chains = [f'{half}:after,{at}:{how}' for half in halves for at in range(1, rest - 4) for how in HOW]
    assert_that_none_matters(tmp_path / 'resume', sample(chains, 'resume'))


# Searches that choose their runs


@pytest.fixture(scope='module')
def adaptive_operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many operations such a search makes that is not disturbed."""
    (result,) = crash(tmp_path_factory.mktemp('undisturbed_adaptive') / 'here', [''], ADAPTIVE)
    assert list(problems_of(result)) == []
    return int(result['counts'][0])


def test_that_a_search_that_chooses_its_runs_is_resumed_wherever_it_ended(
    adaptive_operations: int, tmp_path: Path
) -> None:
    chains = [f'{at}:{how}' for at in range(1, adaptive_operations - 2) for how in HOW]
    assert_that_none_matters(tmp_path / 'search', sample(chains, 'adaptive'), ADAPTIVE)


def test_that_the_resume_of_one_that_chooses_its_runs_is_resumed_wherever_it_ended(
    adaptive_operations: int, tmp_path: Path
) -> None:
    half = adaptive_operations // 2
    (first,) = crash(tmp_path / 'count', [f'{half}:after'], ADAPTIVE)
    chains = [f'{half}:after,{at}:{how}' for at in range(1, int(first['counts'][1]) - 4) for how in HOW]
    assert_that_none_matters(tmp_path / 'resume', sample(chains, 'adaptive resume'), ADAPTIVE)


# Searches that stop runs because of their metrics


@pytest.mark.parametrize('options', [PRUNING, f'{ADAPTIVE} {PRUNING}'], ids=['grid', 'adaptive'])
def test_that_a_search_that_stops_runs_is_resumed_wherever_it_ended(options: str, tmp_path: Path) -> None:
    (undisturbed,) = crash(tmp_path / 'undisturbed', [''], options)
    assert list(problems_of_pruning(undisturbed)) == []
    operations = int(undisturbed['counts'][0])
    chains = [f'{at}:{how}' for at in range(1, operations - 2) for how in HOW]
    assert_that_none_matters(tmp_path / 'search', sample(chains, options), options, problems_of_pruning)
