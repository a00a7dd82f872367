"""A search in which any one file operation fails: every run finishes once, or it ends with a status and a reason.

By default a sample of the operations is tried; HPSEARCH_ALL_CRASH_POINTS=1 tries all of them (minutes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.judges import folder_problems, ledger_problems, process_problems
from benchmarks.chaos.place import Place
from tests.chaos.crash_driver import RUNS
from tests.chaos.test_crash_points import ADAPTIVE, sample
from tests.support.paths import REPOSITORY

ERRORS = ('EIO', 'ENOSPC', 'EMFILE')

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='operations are recognised by /proc')


def disturb(folder: Path, points: Sequence[str], options: str) -> list[dict[str, Any]]:
    """Let searches run, with more options, in which one operation fails."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / 'tests' / 'chaos' / 'trouble_driver.py'), str(folder), *points],
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY), 'CRASH_OPTIONS': options},
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def problems_of(result: dict[str, Any]) -> Iterator[str]:
    """What went wrong."""
    place = Place(Path(result['path']), RUNS)
    printed = place.printed()
    if result['codes'] not in ([0], [1, 0], [2, 0]):
        yield f'exit codes {result["codes"]}'
    if 'Traceback' in printed:
        yield 'a traceback'
    if len(result['codes']) > 1 and 'hpsearch: ' not in printed:
        yield 'it ended without a reason'
    yield from (problem.what for problem in ledger_problems(place, {}))
    yield from (problem.what for problem in folder_problems(place))
    yield from (problem.what for problem in process_problems(place))


@pytest.mark.parametrize('options', ['', ADAPTIVE], ids=['planned', 'adaptive'])
def test_that_whichever_operation_fails_every_run_finishes_once(tmp_path: Path, options: str) -> None:
    (undisturbed,) = disturb(tmp_path / 'undisturbed', [''], options)
    assert list(problems_of(undisturbed)) == []
    count = int(undisturbed['counts'][0])
    assert count > 30 * RUNS
    points = [f'{at}:{error}' for at in range(1, count + 1) for error in ERRORS]
    found = {}
    for result in disturb(tmp_path / 'disturbed', sample(points, 'trouble'), options):
        if problems := list(problems_of(result)):
            found[result['chain']] = (result['path'], problems, Place(Path(result['path']), RUNS).printed()[-600:])
    assert not found, '\n'.join(f'{point}: {problems}' for point, problems in found.items())
