"""Metrics of runs are read while they go, with real processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.training import MORE, let_train

PRINTS = """\
import os, sys, time
number = next(word[4:] for word in sys.argv if word.startswith('--n='))
for epoch in range(1, 5):
    print(f'epoch {epoch}: val_acc=0.{number}{epoch}')
    while epoch == 2 and not os.path.exists('go'):
        time.sleep(0.02)
"""

PRINTED = """\
_SUMMARY_FILENAME = None
_SUMMARY_KEYWORDS = []
_PERFORMANCE_KEY = 'val_acc'
_COMMAND = ['python3', 'train.py']
_RESULT = _METRICS = r'stdout: epoch (?P<step>[0-9]+).*val_acc=(?P<val_acc>[0-9.]+)'
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project', 2, MORE) as made:
        let_train(made)
        yield made


def reported(project: Gated) -> Counter[tuple[str, float]]:
    """Run and step to how often that was journaled."""
    return Counter((event['run'], step) for event in project.told('reported') for step, _ in event['points'])


def curves(project: Gated) -> list[list[float]]:
    """The steps of all runs."""
    state = read_state(SearchFolder(project.out))
    return [list(state.curves.of(project.run_name(number))) for number in project.numbers]


def test_that_one_expression_gives_the_metrics_of_a_script_that_only_prints_and_its_result(tmp_path: Path) -> None:
    """Python, which keeps back what it prints to a file, is told not to."""
    with gated(tmp_path / 'project', 2, PRINTED) as project:
        (project.path / 'train.py').write_text(PRINTS)
        search = project.search_in_order('--cpu_jobs=2')
        until(lambda: len(reported(project)) == 4)
        status = finish(project.drive({}, 'status', 'out'))
        assert 'val_acc 0.12 at step 2' in status and 'val_acc 0.22 at step 2' in status
        project.open()
        finish(search)
        assert curves(project) == [[1, 2, 3, 4]] * 2
        assert {row['n']: row['val_acc'] for row in project.rows()} == {'1': '0.14', '2': '0.24'}


def test_that_a_search_that_was_killed_reports_no_step_twice_and_misses_none(project: Gated) -> None:
    search = project.search_in_order('--cpu_jobs=2')
    until(lambda: len(reported(project)) == 6)
    kill(search)
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert curves(project) == [[1, 2, 3, 4, 5, 6]] * 2
    assert set(reported(project).values()) == {1}


def test_that_what_ended_while_nobody_looked_after_it_is_read_afterwards(project: Gated) -> None:
    search = project.search_in_order('--cpu_jobs=2')
    project.wait_for_begun(2)
    kill(search)
    project.open()
    until(lambda: not project.living() and len(project.notes('done.txt')) == 2)
    finish(project.drive({}, 'resume', 'out'))
    assert curves(project) == [[1, 2, 3, 4, 5, 6]] * 2


def test_that_a_grid_without_metrics_journals_none(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', 2, MORE.replace('_METRICS = []', '')) as project:
        let_train(project)
        project.open()
        finish(project.search_in_order('--cpu_jobs=2'))
        assert not project.told('reported')
        assert not any(word == 'env' for run in SearchFolder(project.out).read_runs() for word in run.argv)
