"""Who tells of the end of a search whose jobs work on it by themselves, on a pretend LSF."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lsf.projects import OPEN, LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish
from tests.support.harness import until
from tests.support.told import keeper

PILOTS = ('--num_jobs=2', '--runs_per_job=1')


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LsfProject]:
    lsf = FakeLsf(tmp_path / 'lsf', 'ibm', terminate_interval=3.0)
    try:
        with lsf_project(tmp_path / 'project', lsf, count=3) as made:
            yield made
    finally:
        lsf.end()


def told(project: LsfProject) -> list[dict[str, Any]]:
    """The facts that were told so far, with the program of :func:`tell`."""
    path = project.path / 'told'
    return [json.loads(line.rstrip('|')) for line in path.read_text().splitlines()] if path.exists() else []


def tell(project: LsfProject) -> list[str]:
    """Options that have a program keep what is told."""
    program = keeper(project.path / 'tell', project.path / 'told')
    return [f'--on_finish={program}', f'--on_failure={program}']


def test_that_jobs_leave_it_to_the_hpsearch_that_submitted_them(project: LsfProject) -> None:
    project.open()
    finish(project.submit(*PILOTS, *tell(project)))
    (only,) = told(project)
    assert (only['event'], only['exit_code'], only['counts']) == ('finished', 0, {'finished': 3})


def test_that_the_last_job_tells_where_nobody_else_is_left(project: LsfProject) -> None:
    finish(project.submit(*PILOTS, '--submit_only', *tell(project)))
    assert told(project) == []
    project.open()
    until(lambda: not project.jobs(*OPEN), 60.0)
    (only,) = told(project)
    assert (only['event'], only['counts']) == ('finished', {'finished': 3})
