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


def test_that_a_killed_search_goes_on_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    words = ('--search=random', '--max_trials=5', '--cpu_jobs=1', '--fail_fast=0')
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
    done = project.search('--search=random', '--submit_only', '--run_cluster', '--num_searches=3')
    assert done.returncode == 2
    for word in ('--max_trials=N', '--num_searches'):
        assert word in done.stderr
    assert not project.out.exists()


def test_that_options_of_adaptive_searches_are_refused_for_grids(project: Project) -> None:
    done = project.search('--max_trials=5')
    assert done.returncode == 2 and '--max_trials: needs --search=random' in done.stderr
