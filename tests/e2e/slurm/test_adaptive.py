"""Adaptive searches on a real Slurm: what is in the queue, and who chooses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.slurm.cluster import Cluster
from tests.e2e.slurm.projects import SlurmProject, finish, hpsearch_line, slowly, slurm_project
from tests.support.harness import until

RANDOM = ('--search=random', '--max_trials=5')
PILOTS = ('--slurm_mem=500', '--stop_grace=5')


@pytest.fixture
def project(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmProject]:
    with slurm_project(tmp_path / 'project', slurm, count=9) as made:
        yield made


def assert_ran_once(project: SlurmProject, count: int = 5) -> None:
    assert len(project.begun()) == len(set(project.begun())) == count
    assert len(project.told('suggested')) == count
    assert list(project.table_states().values()) == ['finished'] * count


def test_that_no_more_runs_are_chosen_than_there_are_jobs_and_those_of_a_tick_are_one_array(
    project: SlurmProject,
) -> None:
    search = project.submit(*RANDOM, '--num_jobs=3')
    project.wait_for_begun(3)
    asked = len(project.calls('squeue'))
    until(lambda: len(project.calls('squeue')) >= asked + 2)
    assert (len(project.told('suggested')), len(project.in_queue()), len(project.calls('sbatch'))) == (3, 3, 1)
    project.open()
    finish(search)
    assert_ran_once(project)
    assert len(project.told('submitting')[0]['attempts']) == 3


def test_that_jobs_that_work_on_the_search_choose_their_runs(project: SlurmProject) -> None:
    search = project.submit(*RANDOM, '--num_jobs=2', '--runs_per_job=2', *PILOTS)
    project.wait_for_begun(4)
    project.open()
    finish(search)
    assert_ran_once(project)
    assert len(project.pilots()) == 2 and len(project.calls('sbatch')) == 1


def test_that_an_array_of_ones_own_jobs_works_on_a_search_that_was_only_made(project: SlurmProject) -> None:
    """Oríon's recipe: n workers, each of which asks for its next trial."""
    project.open()
    project.say('--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--dont_start', *RANDOM)
    text = f'#!/bin/bash\nexec {hpsearch_line("join", str(project.out), "--runs_per_job=1", "--stop_grace=5")}\n'
    job = project.sbatch(text, '--array=1-4', '--time=10')
    slowly(lambda: [project.job_state(f'{job}_{index}') for index in (1, 2, 3, 4)] == ['COMPLETED'] * 4)
    assert_ran_once(project)
    assert len(project.pilots()) == 4
    project.resume('--max_trials=6')
    assert_ran_once(project, 6)


HUNTED = """\
import json, os, sys
x = float(sys.argv[2])
with open(os.environ['ORION_RESULTS_PATH'], 'w') as file:
    json.dump([{'name': 'objective', 'type': 'objective', 'value': (x - 3) ** 2}], file)
"""

ORION = """\
experiment: {name: out, max_trials: 5, algorithms: {random: {seed: 3}}}
worker: {n_workers: 2}
"""


def test_that_an_array_of_hunts_makes_one_search_and_works_on_it(project: SlurmProject) -> None:
    """Oríon's own recipe, with the name of its program replaced."""
    (project.path / 'hunted.py').write_text(HUNTED)
    (project.path / 'orion.yaml').write_text(ORION)
    command = f"{sys.executable} hunted.py -x~'uniform(-5, 5)'"
    hunt = hpsearch_line('hunt', '--config', 'orion.yaml', '--working_dir=.', '--stop_grace=5', command)
    job = project.sbatch(f'#!/bin/bash\nexec {hunt}\n', '--array=1-4', '--time=10')
    slowly(lambda: [project.job_state(f'{job}_{index}') for index in (1, 2, 3, 4)] == ['COMPLETED'] * 4)
    assert len(project.told('suggested')) == 5
    assert [row['hpsearch_state'] for row in project.rows()] == ['finished'] * 5
    assert [path.name for path in project.path.glob('out*')] == ['out']
