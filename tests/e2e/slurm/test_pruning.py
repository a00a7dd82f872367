"""Runs whose metrics are not good enough are stopped in a real Slurm: their elements, and no others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.e2e.slurm.cluster import Cluster
from tests.e2e.slurm.projects import PATIENCE, slowly, slurm_project
from tests.support.gates import DRIVER, finish
from tests.support.training import FINISHED, MORE, PROMOTES, PRUNED, RESUMABLE, STOPS, let_train


def test_that_the_jobs_of_hopeless_runs_are_cancelled_and_no_others(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=5, more=MORE) as project:
        let_train(project)
        project.open('1', '2')
        finish(project.drive_queue(STOPS, '--prune=asha', '--num_jobs=2'), patience=PATIENCE)
        assert project.ends() == {n: [FINISHED if n in '12' else PRUNED] for n in project.numbers}
        assert [row['loss'] for row in project.rows()] == ['1', '2', '3.0', '4.0', '5.0']
        assert len(project.calls('sbatch')) == 1
        assert len(project.begun()) == 5, 'each once'


def test_that_a_run_that_was_stopped_goes_on_in_a_job_of_its_own(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=3, more=RESUMABLE) as project:
        let_train(project)
        project.open('1', '2')
        finish(project.drive_queue(PROMOTES, '--prune=asha', '--num_jobs=3'), patience=PATIENCE)
        assert project.ends() == {'1': [FINISHED], '2': [FINISHED], '3': [PRUNED, FINISHED]}
        assert not list(project.out.glob('*.attempt*'))
        assert (project.out / project.run_name('3') / 'step').read_text() == '6\n'
        assert len(project.calls('sbatch')) == 2


def test_that_jobs_that_work_on_the_search_by_themselves_stop_their_own_runs(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=6, more=RESUMABLE) as project:
        let_train(project)
        project.open('1', '2')
        words = ['--dont_start', '--prune=asha', '--deterministic_search', '--grid_module=my_config']
        finish(project.drive(PROMOTES, *words, '--out_dir=out', '--force_out_dir'))
        line = f"""{sys.executable} {DRIVER} '{json.dumps(PROMOTES)}' join {project.out} --runs_per_job=2"""
        job = project.sbatch(f'#!/bin/sh\nexec {line}\n', '--array=1-2', '--time=10')
        slowly(lambda: [project.job_state(f'{job}_{index}') for index in (1, 2)] == ['COMPLETED'] * 2)
        finish(project.drive(PROMOTES, 'resume', 'out', '--cpu_jobs=2'))  # what the jobs left
        ends = project.ends()
        assert ends['1'] == ends['2'] == [FINISHED]
        assert {tuple(ends[number]) for number in '3456'} == {(PRUNED, FINISHED)}
        assert len(project.pilots()) == 2
        assert len(project.begun()) == len(set(project.begun())) == 10
