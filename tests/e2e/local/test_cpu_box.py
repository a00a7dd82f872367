"""Whole searches that share the cores of this machine, without GPUs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpsearch.host.machine.reading import core_count
from hpsearch.model.usage.threads import THREAD_VARIABLES
from tests.fakes.nvml import FakeNvml
from tests.support.cli_harness import Project
from tests.support.paths import REPOSITORY

NOTES = 'echo "${OMP_NUM_THREADS-unset} ${MKL_NUM_THREADS-unset}" >> threads.txt\n'
"""A script that notes how many threads it is told to start."""

SETTINGS = """
_SCRIPT_NAME = None
_COMMAND = ['sh', 'note.sh']
_OUT_ARG = None
_SUMMARY_FILENAME = None
_SUMMARY_KEYWORDS = []
_PERFORMANCE_KEY = None
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    for name in THREAD_VARIABLES:
        project.env.pop(name, None)
    return project


def threads(project: Project) -> set[str]:
    """What the runs found in their environment: the threads of OpenMP, and of MKL."""
    return set((project.path / 'threads.txt').read_text().splitlines())


def configure(project: Project, runs: int = 4, more: str = '') -> None:
    """Runs that note the threads they are told to start."""
    (project.path / 'note.sh').write_text(NOTES)
    project.configure({'n': list(range(runs))}, SETTINGS + more)


# How many threads


@pytest.mark.parametrize('jobs', [2, 64])
def test_that_runs_are_told_their_share_of_the_cores(project: Project, jobs: int) -> None:
    configure(project)
    done = project.search(f'--cpu_jobs={jobs}')
    assert done.returncode == 0, done.stderr
    share = max(1, int(core_count() / jobs))
    assert threads(project) == {f'{share} {share}'}


@pytest.mark.parametrize('option', ['--cpu_jobs=1', '--visible_gpus=-1'])
def test_that_a_run_that_has_the_machine_for_itself_is_told_nothing(project: Project, option: str) -> None:
    configure(project, 1)
    project.search(option)
    assert threads(project) == {'unset unset'}


def test_that_what_the_user_has_set_stays(project: Project) -> None:
    configure(project)
    project.env['OMP_NUM_THREADS'] = '5'
    project.search('--cpu_jobs=2')
    assert threads(project) == {'5 unset'}


def test_that_what_the_configuration_sets_stays(project: Project) -> None:
    configure(project, more="_ENV = {'MKL_NUM_THREADS': 7}\n")
    project.search('--cpu_jobs=64')
    assert threads(project) == {'1 7'}


# As many as there is room for


def test_that_as_many_runs_go_at_a_time_as_there_is_room_for(project: Project) -> None:
    project.configure({'seconds': [0.5 + number / 1000 for number in range(8)]})
    done = project.search('--cpu_jobs=auto')
    assert done.returncode == 0, done.stderr
    most = at_a_time(project)
    assert 1 <= most <= 4 * core_count()
    measured = [event['measured'] for event in project.events() if event['event'] == 'ended']
    assert any(each.get('cpu') for each in measured)
    assert any('estimate' in event for event in project.events() if event['event'] == 'claimed')


def test_that_the_first_run_is_alone_until_something_is_known(project: Project) -> None:
    project.configure({'seconds': [0.3, 0.31, 0.32]})
    project.search('--cpu_jobs=auto')
    order = [event['event'] for event in project.events() if event['event'] in ('running', 'ended')]
    assert order[:2] == ['running', 'ended']


def test_that_a_search_can_be_resumed_with_as_many_as_there_is_room_for(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2], 'mode': ['good']})
    assert project.search('--dont_start').returncode == 0
    assert project.run('join', 'out', '--cpu_jobs=auto').returncode == 0
    assert set(project.states().values()) == {'finished'}
    assert project.run('resume', 'out', '--cpu_jobs=auto').returncode == 0


def test_that_a_machine_without_gpus_is_packed_as_well(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2]})
    done = project.search('--packing=auto')
    assert done.returncode == 0, done.stderr
    assert 'runs share its cores and memory, as with --cpu_jobs=auto' in done.stdout + done.stderr


# In a job of a queue

OF_A_JOB = {'SLURM_JOB_ID': '7', 'SLURMD_NODENAME': 'n1', 'SLURM_CPUS_ON_NODE': '2', 'SLURM_MEM_PER_NODE': '4000'}


def test_that_runs_in_a_job_without_gpus_share_its_cores(project: Project, tmp_path: Path) -> None:
    with_gpus(project, FakeNvml(tmp_path / 'nvml', gpus=2))
    project.env.update(OF_A_JOB)
    project.configure({'seconds': [0.3 + number / 1000 for number in range(4)]})
    assert project.search('--dont_start').returncode == 0
    done = project.run('join', 'out', '--runs_per_job=auto')
    assert done.returncode == 0, done.stdout + done.stderr
    assert {devices for _, _, devices in project.ran()} == {'unset'}
    assert any(event.get('estimate', {}).get('cpu') for event in project.events() if event['event'] == 'claimed')


def test_that_runs_in_a_job_share_only_the_gpus_that_it_was_given(project: Project, tmp_path: Path) -> None:
    with_gpus(project, FakeNvml(tmp_path / 'nvml', gpus=3))
    project.env.update(OF_A_JOB, CUDA_VISIBLE_DEVICES='1,2')
    project.configure({'seconds': [0.5 + number / 1000 for number in range(4)]})
    assert project.search('--dont_start').returncode == 0
    done = project.run('join', 'out', '--runs_per_job=auto', '--sim_startup_time=0')
    assert done.returncode == 0, done.stdout + done.stderr
    assert {devices for _, _, devices in project.ran()} == {'1', '2'}
    assert any('estimate' in event for event in project.events() if event['event'] == 'claimed')


def with_gpus(project: Project, fake: FakeNvml) -> None:
    """Let the searches of a project see these GPUs."""
    project.env.update(fake.env())
    project.env['PATH'] = f'{Path(project.command()[0]).parent}{os.pathsep}{project.env["PATH"]}'
    project.env['PYTHONPATH'] = str(REPOSITORY)


def at_a_time(project: Project) -> int:
    """How many runs ran at a time, at most."""
    most = now = 0
    for event in project.events():
        now += {'running': 1, 'ended': -1}.get(event['event'], 0)
        most = max(most, now)
    return most


def test_that_two_searches_that_share_the_cores_both_get_on(tmp_path: Path) -> None:
    projects = [Project(tmp_path / name) for name in ('one', 'other')]
    for project in projects:
        project.configure({'seconds': [0.2 + number / 1000 for number in range(4)]})
    searches = [project.start('--cpu_jobs=auto') for project in projects]
    for search in searches:
        out, err = search.communicate(timeout=110)
        assert search.returncode == 0, out + err
    for project in projects:
        assert len(project.rows()) == 4
