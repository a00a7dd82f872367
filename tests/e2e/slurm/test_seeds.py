"""Runs with other seeds on a real Slurm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.slurm.cluster import Cluster
from tests.e2e.slurm.projects import QUEUE, SlurmProject, finish, slurm_project


@pytest.fixture
def project(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmProject]:
    with slurm_project(tmp_path / 'project', slurm, count=2) as made:
        made.open()
        finish(made.search_in_order('--cpu_jobs=2'))
        yield made


def test_that_the_seeds_that_are_missing_are_jobs_and_others_are_not(project: SlurmProject) -> None:
    words = ('seeds', 'out', '--seed_arg=n', *QUEUE, '--queue_interval=1', '--start_gathering')
    said = project.say(*words, '--num_seeds=4')
    assert '4 runs, 2 with a result' in said
    assert sorted(project.begun()[2:]) == [('3', '1'), ('4', '1')]
    assert len(project.calls('sbatch')) == 1
    project.say(*words, '--num_seeds=5', '--runs_per_job=1')
    assert project.begun()[4:] == [('5', '1')]
    assert 'acc  0.30 ± 0.16  n = 5' in (project.path / 'out_seeds' / 'seeds_summary_text.txt').read_text()
