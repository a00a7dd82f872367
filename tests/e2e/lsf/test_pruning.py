"""Runs whose metrics are not good enough are stopped in a pretend LSF: their elements, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import lsf_project
from tests.e2e.lsf.test_searches import DIALECTS, in_service
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish
from tests.support.training import FINISHED, MORE, PROMOTES, PRUNED, RESUMABLE, STOPS, let_train


@pytest.fixture(params=DIALECTS)
def lsf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeLsf]:
    yield from in_service(tmp_path / 'lsf', request.param)


def test_that_the_jobs_of_hopeless_runs_are_cancelled_and_no_others(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=5, more=MORE) as project:
        let_train(project)
        project.open('1', '2')
        finish(project.drive_queue(STOPS, '--prune=asha', '--num_jobs=2'))
        assert project.ends() == {n: [FINISHED if n in '12' else PRUNED] for n in project.numbers}
        assert [row['loss'] for row in project.rows()] == ['1', '2', '3.0', '4.0', '5.0']
        assert len(project.calls('bsub')) == 1
        assert len(project.begun()) == 5, 'each once'


def test_that_a_run_that_was_stopped_goes_on_in_a_job_of_its_own(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=3, more=RESUMABLE) as project:
        let_train(project)
        project.open('1', '2')
        finish(project.drive_queue(PROMOTES, '--prune=asha', '--num_jobs=3'))
        assert project.ends() == {'1': [FINISHED], '2': [FINISHED], '3': [PRUNED, FINISHED]}
        assert not list(project.out.glob('*.attempt*'))
        assert (project.out / project.run_name('3') / 'step').read_text() == '6\n'
        assert len(project.calls('bsub')) == 2
