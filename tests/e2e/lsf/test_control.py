"""Single runs of a search in a queue are cancelled: elements of arrays, and runs of jobs that work by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import OPEN, LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish
from tests.support.harness import until

FINISHED = ('finished', 'exit')
CANCELLED = ('interrupted', 'cancelled')


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LsfProject]:
    lsf = FakeLsf(tmp_path / 'lsf', 'ibm', terminate_interval=3.0)
    try:
        with lsf_project(tmp_path / 'project', lsf, count=4) as made:
            yield made
    finally:
        lsf.end()


def test_that_the_elements_of_these_runs_are_ended_and_no_others(project: LsfProject) -> None:
    search = project.submit('--num_jobs=2')
    project.wait_until_running(2)
    until(lambda: len(project.told('submitted')) == 4)
    assert 'takes this up' in project.say('cancel', 'out', '1', '4')
    until(lambda: (project.ends()['1'], project.ends()['4']) == ([CANCELLED], [CANCELLED]))
    project.open()
    assert '2 runs were cancelled by hpsearch cancel' in finish(search, (1,))
    assert project.ends() == {'1': [CANCELLED], '2': [FINISHED], '3': [FINISHED], '4': [CANCELLED]}
    assert sorted(project.begun()) == [('1', '1'), ('2', '1'), ('3', '1')]
    assert len(project.calls('bsub')) == 1


def test_that_jobs_that_were_submitted_and_left_are_cancelled_one_by_one(project: LsfProject) -> None:
    finish(project.submit('--num_jobs=2', '--submit_only'))
    project.wait_for_begun(2)
    said = project.say('cancel', 'out', '1', '4')
    assert 'no hpsearch works on it: ending 2 runs from here\nended\n' in said
    assert {event['run'] for event in project.told('ended')} == {project.run_name('1'), project.run_name('4')}
    until(lambda: len(project.jobs(*OPEN)) == 2)


def test_that_a_job_that_works_on_the_search_ends_its_run_and_goes_on_with_the_others(project: LsfProject) -> None:
    search = project.submit('--runs_per_job=2', '--num_jobs=1')
    project.wait_until_running(2)
    project.say('cancel', 'out', '1', '4')
    until(lambda: project.ends()['1'] == [CANCELLED])
    project.open()
    assert '2 runs were cancelled by hpsearch cancel' in finish(search, (1,))
    assert project.ends() == {'1': [CANCELLED], '2': [FINISHED], '3': [FINISHED], '4': []}
    assert len(project.pilots()) == 1
