"""Runs whose metrics are not good enough are stopped while a search goes, with real processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.training import FINISHED, MORE, PROMOTES, PRUNED, RESUMABLE, STOPS, let_train


@contextmanager
def training(path: Path, count: int = 4, more: str = MORE) -> Iterator[Gated]:
    """A project of runs that train."""
    with gated(path, count, more) as project:
        let_train(project)
        yield project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with training(tmp_path / 'project') as made:
        yield made


def losses(project: Gated) -> dict[str, tuple[str, str]]:
    """Value of ``--n`` to the loss and the state in the table."""
    return {row['n']: (row['loss'], row['hpsearch_state']) for row in project.rows()}


def curve(project: Gated, number: str) -> list[float]:
    """The steps that a run has reported."""
    return list(read_state(SearchFolder(project.out)).curves.of(project.run_name(number)))


def test_that_hopeless_runs_of_a_grid_are_stopped_and_their_slots_filled(project: Gated) -> None:
    project.open('1', '2')
    printed = finish(project.drive_search(STOPS, '--prune=asha', '--cpu_jobs=1'))
    assert project.ends() == {'1': [FINISHED], '2': [FINISHED], '3': [PRUNED], '4': [PRUNED]}
    assert losses(project) == {
        **{'1': ('1', 'finished'), '2': ('2', 'finished')},
        **{'3': ('3.0', 'stopped'), '4': ('4.0', 'stopped')},
    }
    assert [row['hpsearch_reason'] for row in project.rows()[2:]] == ['loss 3 at step 3', 'loss 4 at step 3']
    assert '2 finished, 2 stopped of 4 runs' in printed
    assert 'best 2 of 2 finished runs' in printed
    assert curve(project, '3') == [1, 2, 3]
    status = finish(project.drive({}, 'status', 'out'))
    assert '4 of 4 done: 2 finished, 2 stopped' in status


def test_that_nothing_is_stopped_where_the_user_goes_on_without_a_pruner(project: Gated) -> None:
    search = project.drive_search(STOPS, '--prune=asha', '--cpu_jobs=1')
    project.wait_for_begun(1)
    kill(search)
    project.open()
    finish(project.drive(STOPS, 'resume', 'out', '--prune=none'))
    assert project.table_states() == project.all_finished()


def test_that_a_pruner_that_is_asked_for_later_stops_what_has_begun(project: Gated) -> None:
    search = project.drive_search(STOPS, '--cpu_jobs=4')
    project.wait_for_begun(4)
    kill(search)
    project.open('1', '2')
    finish(project.drive(STOPS, 'resume', 'out', '--prune=asha'))
    assert project.ends() == {'1': [FINISHED], '2': [FINISHED], '3': [PRUNED], '4': [PRUNED]}


def test_that_a_run_that_was_stopped_goes_on_where_it_was_when_it_is_promoted(tmp_path: Path) -> None:
    with training(tmp_path / 'project', more=RESUMABLE) as project:
        project.open('1', '2')
        search = project.drive_search(PROMOTES, '--prune=asha', '--cpu_jobs=1', '--max_attempts=1')
        finish(search)
        assert project.begun() == [('1', '1'), ('2', '1'), ('3', '1'), ('3', '2'), ('4', '1'), ('4', '2')]
        assert project.ends() == {
            **{'1': [FINISHED], '2': [FINISHED]},
            **{'3': [PRUNED, FINISHED], '4': [PRUNED, FINISHED]},
        }
        assert project.table_states() == project.all_finished()
        assert curve(project, '3') == [1, 2, 3, 4, 5, 6]
        assert not list(project.out.glob('*.attempt*')), 'its folder stays where it is'


def test_that_writers_beside_each_other_stop_their_own_and_promote_each_run_once(tmp_path: Path) -> None:
    with training(tmp_path / 'project', count=8, more=RESUMABLE) as project:
        project.open('1', '2')
        search = project.drive_search(PROMOTES, '--prune=asha', '--cpu_jobs=2')
        project.wait_for_begun(2)
        helper = project.drive(PROMOTES, 'join', 'out', '--cpu_jobs=2')
        finish(search)
        finish(helper, (0, 1))  # it does not wait for what others still run
        ends: dict[str, list[Any]] = project.ends()
        assert ends['1'] == ends['2'] == [FINISHED]
        assert {tuple(ends[number]) for number in map(str, range(3, 9))} == {(PRUNED, FINISHED)}
        assert len(project.begun()) == len(set(project.begun())) == 14


def test_that_a_random_search_stops_runs_as_well(tmp_path: Path) -> None:
    with training(tmp_path / 'project', count=6) as project:
        project.open('1', '2')
        words = ('--search=random', '--max_trials=6', '--prune=asha', '--cpu_jobs=2')
        finish(project.drive_search(STOPS, *words))
        assert project.ends() == {n: [FINISHED if n in '12' else PRUNED] for n in project.numbers}


def test_that_a_search_with_a_pruner_is_stopped_like_any_other(project: Gated) -> None:
    project.then('trap \'touch "caught.$n"\' TERM\n')
    search = project.drive_search(STOPS, '--prune=asha', '--cpu_jobs=4', '--stop_grace=600')
    until(lambda: (project.path / 'caught.3').exists() and (project.path / 'caught.4').exists())
    stopping = project.drive({}, 'stop', 'out')
    until(lambda: (project.path / 'caught.1').exists() and (project.path / 'caught.2').exists())
    project.open()
    finish(search, (130, 0))
    finish(stopping)
    assert project.table_states() == project.all_finished(), 'all had their time, and used it'


UNMODIFIED = """\
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument('--epochs', type=int)
parser.add_argument('--learning-rate', type=float)
args = parser.parse_args()
for epoch in range(1, args.epochs + 1):
    time.sleep(0.3)
    print(f'epoch {epoch} val_acc={1 - abs(args.learning_rate - 0.3) - 0.1 / epoch:.4f}')
"""


def test_that_a_script_that_knows_nothing_of_it_is_searched_with_asha_from_the_command_line(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    (project.path / 'main.py').write_text(UNMODIFIED)
    shown = r'stdout:epoch (?P<step>\d+) val_acc=(?P<val_acc>[0-9.]+)'
    options = ['--search=random', '--max_trials=6', '--objective', shown, '--direction=maximize', '--prune=asha']
    place = ['--max_resource=12', '--cpu_jobs=3', '--out_dir=out', '--force_out_dir']
    words = ['python3', 'main.py', '--epochs', '12', '--learning-rate~uniform(0, 1)']
    done = project.run('run', *options, *place, '--', *words)
    assert done.returncode == 0, done.stderr
    rows = project.rows()
    finished = [float(row['val_acc']) for row in rows if row['hpsearch_state'] == 'finished']
    stopped = [row for row in rows if row['hpsearch_state'] == 'stopped']
    assert len(finished) + len(stopped) == 6 and finished and stopped
    assert all(float(row['val_acc']) < max(finished) for row in stopped)
    assert all(re.match(r'\d of \d runs (was|were) better by step', row['hpsearch_reason']) for row in stopped)
    assert f'best val_acc {max(finished):g}' in done.stderr + done.stdout


def test_that_a_pruner_without_metrics_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with gated(tmp_path / 'project') as project:
        printed = finish(project.drive_search(STOPS, '--prune=asha'), (2,))
        assert '_METRICS' in printed and 'hpsearch.report' in printed
        assert not project.out.exists()
