"""Runs with other seeds on a pretend LSF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import QUEUE, LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LsfProject]:
    lsf = FakeLsf(tmp_path / 'lsf', 'ibm')
    try:
        with lsf_project(tmp_path / 'project', lsf, count=2) as made:
            made.open()
            finish(made.search_in_order('--cpu_jobs=2'))
            yield made
    finally:
        lsf.end()


def test_that_the_seeds_that_are_missing_are_jobs_and_others_are_not(project: LsfProject) -> None:
    words = ('seeds', 'out', '--seed_arg=n', *QUEUE, '--queue_interval=1', '--start_gathering', '--num_seeds=4')
    assert '4 runs, 2 with a result' in project.say(*words)
    assert sorted(project.begun()[2:]) == [('3', '1'), ('4', '1')]
