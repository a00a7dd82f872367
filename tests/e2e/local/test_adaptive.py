"""Adaptive searches on this machine, as a user runs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish

GRID: dict[str, list[Any]] = {'lr': [0.1, 0.2, 0.3, 0.4], 'flag': [True, False]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    project.configure(GRID)
    return project


def params(out: Path) -> list[dict[str, object]]:
    """What was suggested, in the order of the numbers."""
    return [run.params for run in SearchFolder(out).read_runs()]


def test_that_a_search_chooses_as_many_runs_as_it_may(project: Project) -> None:
    done = project.search('--search=random', '--max_trials=5', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    assert '5 finished of 5 runs' in done.stdout
    rows = project.rows()
    assert len({(row['lr'], row['flag']) for row in rows}) == 5
    assert [float(row['acc']) for row in rows] == sorted((float(row['acc']) for row in rows), reverse=True)
    status = project.run('status', 'out')
    assert '5 of 5 done: 5 finished' in status.stdout


def test_that_resume_goes_on_to_a_larger_number_of_trials(project: Project) -> None:
    project.search('--search=random', '--max_trials=2', '--cpu_jobs=2')
    first = params(project.out)
    done = project.run('resume', 'out', '--max_trials=4', '--cpu_jobs=2')
    assert '4 finished of 4 runs' in done.stdout, done.stderr
    assert params(project.out)[:2] == first and len(params(project.out)) == 4


@pytest.mark.parametrize('sampler', ['random', 'tpe'])
def test_that_a_killed_search_goes_on_as_if_it_had_not_been_killed(tmp_path: Path, sampler: str) -> None:
    words = (f'--search={sampler}', '--max_trials=5', '--cpu_jobs=1', '--fail_fast=0')
    whole, killed = Gated(tmp_path / 'whole', 6), Gated(tmp_path / 'killed', 6)
    whole.open()
    assert whole.search(*words).returncode == 0
    search = killed.start(*words)
    killed.wait_for_begun(1)
    killed.open(killed.begun()[0][0])
    killed.wait_for_begun(2)
    os.kill(search.pid, signal.SIGKILL)
    search.communicate()
    killed.open()
    done = killed.run('resume', 'out', '--cpu_jobs=1')
    assert done.returncode == 0, done.stderr
    assert params(killed.out) == params(whole.out)
    assert sorted(killed.begun()) == sorted(whole.begun())


def test_that_writers_beside_each_other_share_the_trials(tmp_path: Path) -> None:
    project = Gated(tmp_path / 'project', 9)
    first = project.start('--search=random', '--max_trials=7', '--cpu_jobs=2', '--fail_fast=0')
    project.wait_for_begun(2)
    second = project.drive({}, 'join', 'out', '--cpu_jobs=2')
    project.wait_for_begun(4)
    project.open()
    finish(first)
    finish(second, (0, 1))
    assert len(project.begun()) == len(set(project.begun())) == 7
    assert len(project.rows()) == 7


def test_that_a_search_without_an_end_is_refused_with_the_next_step(project: Project) -> None:
    words = ('--submit_only', '--run_cluster', '--num_searches=3', '--set=lr~uniform(0, 1)')
    done = project.search('--search=random', *words)
    assert done.returncode == 2
    for word in ('--max_trials=N', '--num_searches'):
        assert word in done.stderr
    assert not project.out.exists()


def test_that_options_of_adaptive_searches_are_refused_for_grids(project: Project) -> None:
    done = project.search('--max_trials=5')
    assert done.returncode == 2 and '--max_trials: needs --search=random' in done.stderr


def test_that_a_search_that_has_reached_its_target_stops_what_runs(tmp_path: Path) -> None:
    project = Gated(tmp_path / 'project', 9)
    search = project.start('--search=random', '--target=0.05', '--cpu_jobs=2', '--fail_fast=0')
    project.wait_for_begun(2)
    project.open(project.begun()[0][0])
    out = finish(search)
    assert 'The search has ended: the target was reached: acc is 0.' in out
    ends = [end for ended in project.ends().values() for end in ended]
    assert sorted(ends) == [('finished', 'exit'), ('stopped', 'pruned')]
    assert '2 of 2 done: 1 finished, 1 stopped' in project.run('status', 'out').stdout
    again = project.run('resume', 'out', '--cpu_jobs=2')
    assert again.returncode == 0 and len(project.begun()) == 2
    assert finish(project.drive({}, 'resume', 'out', '--cpu_jobs=2', '--max_trials=2'), (0,))


def test_that_a_search_ends_when_too_many_trials_have_failed(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2, 0.3, 0.4, 0.5], 'mode': ['crash']})
    done = project.search('--search=random', '--max_trials=5', '--max_broken=2', '--cpu_jobs=1', '--fail_fast=0')
    assert done.returncode == 1
    assert 'The search has ended: 2 trials have failed (--max_broken=2)' in done.stdout
    assert len(project.ran()) == 2


def test_that_a_search_starts_nothing_more_when_its_budget_is_used_up(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2, 0.3, 0.4, 0.5], 'seconds': [0.6]})
    done = project.search('--search=random', '--budget=1s', '--cpu_jobs=1')
    assert done.returncode == 0, done.stderr
    assert 'The search has ended: the budget is used up' in done.stdout
    first = len(project.ran())
    assert first < 4
    more = project.run('resume', 'out', '--cpu_jobs=1', '--budget=1h', '--max_trials=4')
    assert more.returncode == 0 and len(project.ran()) == 4
    assert '4 of 4 done' in project.run('status', 'out').stdout, 'the limits that were given last are kept'


def test_that_the_objective_may_be_in_the_output_of_a_script(project: Project) -> None:
    words = ('--objective', 'stdout:training with ([0-9.]+)', '--direction', 'minimize', '--cpu_jobs=2')
    done = project.search('--search=random', '--max_trials=3', *words)
    assert done.returncode == 0, done.stderr
    table = [float(row['with']) for row in project.rows()]
    assert len(table) == 3 and table == sorted(table)


@pytest.mark.parametrize('words', [['--extend'], ['--reuse=.'], ['--submit_only', '--run_cluster']], ids=str)
def test_that_what_an_adaptive_search_cannot_do_is_refused_when_it_is_resumed(
    project: Project, words: list[str]
) -> None:
    project.search('--search=random', '--max_trials=1', '--cpu_jobs=1')
    done = project.run('resume', 'out', *words)
    assert done.returncode == 2 and words[0].partition('=')[0] in done.stderr, done.stderr


def test_that_limits_are_refused_for_a_search_that_was_planned(project: Project) -> None:
    project.search('--cpu_jobs=2')
    done = project.run('resume', 'out', '--max_trials=3')
    assert done.returncode == 2 and '--max_trials: the runs of this search were all planned in advance' in done.stderr
