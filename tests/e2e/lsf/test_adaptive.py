"""Adaptive searches on a pretend LSF: what is in the queue, and who chooses."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import OPEN, LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish
from tests.support.going_on import check_that_all_went_on_from_their_parents, members_at_the_end, write_project
from tests.support.harness import until

RANDOM = ('--search=random', '--max_trials=5')


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LsfProject]:
    lsf = FakeLsf(tmp_path / 'lsf', 'ibm', terminate_interval=3.0)
    try:
        with lsf_project(tmp_path / 'project', lsf, count=9) as made:
            yield made
    finally:
        lsf.end()


def assert_five_ran_once(project: LsfProject) -> None:
    assert len(project.begun()) == len(set(project.begun())) == 5
    assert len(project.told('suggested')) == 5
    assert list(project.table_states().values()) == ['finished'] * 5


def test_that_no_more_runs_are_chosen_than_there_are_jobs_and_those_of_a_tick_are_one_array(
    project: LsfProject,
) -> None:
    search = project.submit(*RANDOM, '--num_jobs=3')
    project.wait_for_begun(3)
    project.wait_for_listings(2)
    assert (len(project.told('suggested')), len(project.jobs(*OPEN)), len(project.calls('bsub'))) == (3, 3, 1)
    project.open(project.begun()[0][0])
    project.wait_for_begun(4)
    assert (len(project.told('suggested')), len(project.jobs(*OPEN))) == (4, 3)
    project.open()
    finish(search)
    assert_five_ran_once(project)
    assert project.most_at_a_time() <= 3


def test_that_a_killed_search_goes_on_with_what_is_in_the_queue(project: LsfProject) -> None:
    search = project.submit(*RANDOM, '--num_jobs=2')
    project.wait_for_begun(2)
    until(lambda: project.told('accepted'))
    os.kill(search.pid, signal.SIGKILL)
    search.communicate()
    project.open()
    project.resume('--run_cluster')
    assert_five_ran_once(project)


def test_that_jobs_that_work_on_the_search_choose_their_runs(project: LsfProject) -> None:
    search = project.submit(*RANDOM, '--num_jobs=2', '--runs_per_job=2')
    project.wait_for_begun(4)
    project.open()
    finish(search)
    assert_five_ran_once(project)
    assert len(project.pilots()) == 2 and len(project.calls('bsub')) == 1


def test_that_such_jobs_can_be_submitted_and_left(project: LsfProject) -> None:
    project.open()
    finish(project.submit(*RANDOM, '--num_jobs=2', '--runs_per_job=2', '--submit_only'))
    until(lambda: not project.jobs(*OPEN), 60.0)
    project.resume()
    assert_five_ran_once(project)


def test_that_jobs_are_wanted_as_long_as_a_target_is_not_reached(project: LsfProject) -> None:
    project.open()
    out = finish(project.submit('--search=random', '--target=0.9', '--num_jobs=2', '--runs_per_job=1'))
    assert 'The search has ended: the target was reached: acc is 0.9' in out


def test_that_a_target_ends_what_is_in_the_queue(project: LsfProject) -> None:
    search = project.submit('--search=random', '--target=0.05', '--num_jobs=3')
    project.wait_for_begun(3)
    project.open(project.begun()[0][0])
    assert 'the target was reached' in finish(search)
    ends = sorted(end for ended in project.ends().values() for end in ended)
    assert ends == [('finished', 'exit'), ('stopped', 'pruned'), ('stopped', 'pruned')]
    assert not project.jobs(*OPEN)


@pytest.mark.parametrize('jobs', [('--num_jobs=2',), ('--num_jobs=2', '--runs_per_job=1')])
def test_that_a_population_goes_on_from_checkpoints_in_jobs(project: LsfProject, jobs: tuple[str, ...]) -> None:
    write_project(project)
    options = ('--search_options=population=3', '--search_options=interval=2')
    finish(project.submit('--search=pbt', *options, *jobs))
    check_that_all_went_on_from_their_parents(project)
    assert members_at_the_end(project) == {1, 2, 3}
