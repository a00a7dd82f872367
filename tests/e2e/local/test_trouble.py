"""Whole searches on a machine in trouble: a library that is preloaded lets calls of the system fail for a while."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.trouble import Trouble
from tests.support.cli_harness import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / 'project')


@pytest.mark.parametrize('code', [errno.EIO, errno.EMFILE])
@pytest.mark.parametrize('name', ['performance_overview.txt', '/exit', '/stderr.log'])
def test_that_a_file_that_cannot_be_read_for_a_moment_changes_nothing(
    project: Project, tmp_path: Path, name: str, code: int
) -> None:
    trouble = Trouble(tmp_path / 'left', 1, code, reading=name)
    project.env.update(trouble.env)
    project.configure({'mode': ['good', 'crash'], 'lr': [0.1, 0.2]})
    done = project.search('--cpu_jobs=2', '--fail_fast=0')
    assert trouble.left == 0
    assert 'Traceback' not in done.stderr
    assert done.returncode == 1, done.stderr
    done = project.run('resume', 'out')
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'finished': 2, 'failed': 2}, done.stdout
    assert Counter((run, attempt) for run, attempt, _ in project.ran()).most_common(1)[0][1] == 1
    assert len(project.ran()) == 4


def test_that_a_shell_that_cannot_fork_does_not_fail_its_run(project: Project, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path / 'left', 2, errno.EAGAIN, fork_in='sh')
    project.env.update(trouble.env)
    project.configure({'lr': [0.1, 0.2]})
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 0, done.stdout + done.stderr
    assert trouble.left == 0
    assert {attempt for _, attempt, _ in project.ran()} == {'1'}
