"""Single runs of a search on a real Slurm are cancelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.slurm.cluster import Cluster
from tests.e2e.slurm.projects import finish, slowly, slurm_project

pytestmark = pytest.mark.slurm

FINISHED = ('finished', 'exit')
CANCELLED = ('interrupted', 'cancelled')


def test_that_the_elements_of_these_runs_are_ended_and_no_others(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=4) as project:
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        slowly(lambda: len(project.told('submitted')) == 4)
        project.say('cancel', 'out', '1', '4')
        slowly(lambda: (project.ends()['1'], project.ends()['4']) == ([CANCELLED], [CANCELLED]))
        project.open()
        assert '2 runs were cancelled by hpsearch cancel' in finish(search, (1,))
        assert project.ends() == {'1': [CANCELLED], '2': [FINISHED], '3': [FINISHED], '4': [CANCELLED]}
        assert sorted(project.begun()) == [('1', '1'), ('2', '1'), ('3', '1')]
        assert len(project.calls('sbatch')) == 1
