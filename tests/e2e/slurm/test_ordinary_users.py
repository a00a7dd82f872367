"""Searches of a user who is not root, whose jobs Slurm hides, renames or forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.slurm.cluster import Cluster, missing, new_cluster
from tests.e2e.slurm.projects import SlurmProject, finish, slowly, users_project
from tests.e2e.slurm.test_searches import FINISHED, assert_each_ran_once
from tests.support.gates import kill
from tests.support.harness import until

QUICK = {'timeout': 20.0, 'retry': 1.0, 'record_grace': 1.0, 'absent': 3.0}

HIDDEN = ('--num_jobs=2', '--slurm_partition=hidden')


@pytest.fixture
def project(slurm: Cluster) -> Iterator[SlurmProject]:
    with users_project(slurm) as made:
        yield made


@pytest.fixture(scope='module')
def plain_cluster() -> Iterator[Cluster]:
    """A cluster that accounts for nothing."""
    if problem := missing(accounting=False):
        pytest.skip(f'no Slurm to test with: {problem}')
    with new_cluster(accounting=False) as cluster:
        yield cluster


@pytest.fixture
def plain_project(plain_cluster: Cluster) -> Iterator[SlurmProject]:
    with users_project(plain_cluster) as made:
        yield made


def see_hidden_jobs(project: SlurmProject) -> None:
    """Two runs of three are shown to run, and the last is shown to wait; each runs once."""
    search = project.submit(*HIDDEN)
    project.wait_for_begun(2)
    slowly(lambda: '2 running, 1 pending (JobArrayTaskLimit)' in project.say('status', 'out'))
    project.open()
    finish(search)
    assert_each_ran_once(project)
    assert len(project.calls('sbatch')) == 1


def test_that_jobs_in_a_hidden_partition_are_followed(project: SlurmProject) -> None:
    see_hidden_jobs(project)


def test_that_jobs_in_a_hidden_partition_are_followed_without_accounting(plain_project: SlurmProject) -> None:
    see_hidden_jobs(plain_project)


def test_that_jobs_with_other_names_are_followed_and_adopted(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=2')
    project.wait_for_begun(2)
    job = until(lambda: project.told('accepted'))[0]['job']
    project.cluster.ask('scontrol', 'update', f'JobId={job}', 'JobName=mine')
    slowly(lambda: '2 running, 1 pending (JobArrayTaskLimit)' in project.say('status', 'out'))
    kill(search)
    assert '2 running, 1 pending (JobArrayTaskLimit)' in project.say('status', 'out')
    resumed = project.also('resume', 'out')
    until(lambda: len(project.told('adopted')) >= 3)
    project.open()
    finish(resumed)
    assert_each_ran_once(project)
    assert len(project.calls('sbatch')) == 1


@pytest.mark.parametrize('way', ['stop', 'stop after kill -9'])
def test_that_a_stop_leaves_no_job_behind_whatever_its_name_and_partition(project: SlurmProject, way: str) -> None:
    search = project.submit(*HIDDEN)
    project.wait_for_begun(2)
    job = until(lambda: project.told('accepted'))[0]['job']
    project.cluster.ask('scontrol', 'update', f'JobId={job}', 'JobName=mine')
    if way != 'stop':
        kill(search)
    assert len(project.alive_jobs()) == 3
    project.say('stop', 'out')
    assert not project.alive_jobs()


def cancel_a_pending_run(project: SlurmProject) -> None:
    """What somebody cancelled in the queue while nobody watched is not run again."""
    search = project.submit('--num_jobs=1')
    project.wait_for_begun(1)
    element = project.element('2')
    kill(search)
    project.cluster.ask('scancel', element)
    project.open()
    resumed = project.drive({'queue': QUICK}, 'resume', 'out')
    project.started.append(resumed)
    finish(resumed, codes=(1,))
    assert project.ends() == {'1': [FINISHED], '2': [('interrupted', 'cancelled')], '3': [FINISHED]}
    assert len(project.calls('sbatch')) == 1


def test_that_a_pending_run_cancelled_while_nobody_watched_is_not_run_again(project: SlurmProject) -> None:
    cancel_a_pending_run(project)


def test_that_the_same_holds_without_accounting(plain_project: SlurmProject) -> None:
    cancel_a_pending_run(plain_project)


def test_that_a_run_whose_job_is_forgotten_is_not_run_again_until_the_user_says_so(
    plain_project: SlurmProject,
) -> None:
    """Its node died while nobody watched, and there is no accounting to say so."""
    project, cluster = plain_project, plain_project.cluster
    cluster.forget_jobs_after(2)
    search = project.submit('--num_jobs=1')
    project.wait_for_begun(1)
    element = project.element('1')
    kill(search)
    node = cluster.ask('squeue', '-h', f'--jobs={element}', '--format=%N').strip()
    cluster.kill_slurmd(node)
    cluster.report_down(node)
    until(lambda: not project.job_state(element), 60.0)
    cluster.start_slurmd(node)
    project.open('2', '3')
    resumed = project.drive({'queue': QUICK}, 'resume', 'out')
    project.started.append(resumed)
    until(lambda: {n: project.ends()[n] for n in '23'} == {'2': [FINISHED], '3': [FINISHED]}, 60.0)
    slowly(lambda: 'unknown' in project.say('status', 'out'))
    assert sorted(project.begun()) == [('1', '1'), ('2', '1'), ('3', '1')]
    printed = project.say('stop', 'out') and finish(resumed, codes=(130,))
    assert '--host_is_dead=HOST' in printed
    project.open()
    again = project.drive({'queue': QUICK}, 'resume', 'out', f'--host_is_dead={node}')
    project.started.append(again)
    finish(again)
    assert project.ends()['1'] == [('interrupted', 'host_dead'), FINISHED]
