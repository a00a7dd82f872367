"""Whole searches that share the cores of this machine, without GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.host.machine.reading import core_count
from hpsearch.model.usage.threads import THREAD_VARIABLES
from tests.support.cli_harness import Project

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
