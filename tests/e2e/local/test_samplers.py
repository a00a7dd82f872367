"""Samplers that learn, in searches as a user runs them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from hpsearch.model.units import count_of
from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish
from tests.support.postprocessing import postprocess

pytest.importorskip('optuna')
pytest.importorskip('cmaes')

EARLY = '--search_options=n_startup_trials=3'


def values(out: Path) -> list[dict[str, object]]:
    """What was suggested, in the order of the numbers."""
    return [run.params for run in SearchFolder(out).read_runs()]


def test_that_a_search_that_learns_finds_good_values(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'flag': [True, False]}, "grid['lr'] = 'uniform(0, 1)'")
    done = project.search('--search=tpe', '--max_trials=16', '--cpu_jobs=1', EARLY)
    assert done.returncode == 0, done.stderr
    rates = [float(str(each['lr'])) for each in values(project.out)]
    assert min(rates) < 0.1
    assert sorted(rates[8:])[4] < sorted(rates[:8])[4]


@pytest.mark.parametrize('search', ['tpe', 'cmaes', 'nsga2', 'qmc'])
def test_that_a_search_that_was_killed_makes_the_same_suggestions(tmp_path: Path, search: str) -> None:
    words = (f'--search={search}', '--max_trials=7', '--cpu_jobs=1', '--fail_fast=0', *[EARLY] * (search == 'tpe'))
    whole, killed = Gated(tmp_path / 'whole', 30), Gated(tmp_path / 'killed', 30)
    whole.open()
    assert whole.search(*words).returncode == 0
    work = killed.start(*words)
    for begun in range(1, 6):
        killed.wait_for_begun(begun)
        killed.open(killed.begun()[begun - 1][0])
    killed.wait_for_begun(6)
    os.kill(work.pid, signal.SIGKILL)
    work.communicate()
    killed.open()
    done = killed.run('resume', 'out', '--cpu_jobs=1')
    assert done.returncode == 0, done.stderr
    assert values(killed.out) == values(whole.out)


def test_that_two_writers_never_suggest_the_same(tmp_path: Path) -> None:
    project = Gated(tmp_path / 'project', 40)
    project.open()
    first = project.start('--search=tpe', '--max_trials=20', '--cpu_jobs=2', '--fail_fast=0', EARLY)
    project.wait_for_begun(1)
    second = project.drive({}, 'join', 'out', '--cpu_jobs=2')
    finish(first)
    finish(second, (0, 1))
    found = [each['n'] for each in values(project.out)]
    assert len(found) == len(set(map(str, found))) == 20


def test_that_each_trial_is_run_with_several_seeds_and_bad_ones_with_fewer(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'lr': [0.1, 0.2, 0.3, 0.4, 0.5], 'seconds': [0]})
    words = ('--search=random', '--seeds_per_config=3', '--seed_arg=seconds', '--max_trials=5', '--cpu_jobs=1')
    done = project.search(*words)
    assert done.returncode == 0, done.stderr
    found = values(project.out)
    best = [each['seconds'] for each in found if each['lr'] == 0.1]
    assert best == [0, 1, 2]
    assert len(found) < 15
    assert project.search('--seeds_per_config=2').returncode == 2


def test_that_the_pareto_front_of_several_objectives_is_reported(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'flag': [True, False]}, "grid['lr'] = 'uniform(0, 1)'\n_RESULT = ['performance_overview.txt']")
    (project.path / 'train.py').write_text(
        (project.path / 'train.py')
        .read_text()
        .replace('acc {1 - args.lr}', 'acc {1 - args.lr}\\ncost {(args.lr-.5)**2}')
    )
    objectives = ('--objective=acc', '--objective=cost', '--direction=maximize', '--direction=minimize')
    done = project.search('--search=nsga2', '--max_trials=6', '--cpu_jobs=1', *objectives)
    assert done.returncode == 0, done.stderr
    rates = sorted(float(str(each['lr'])) for each in values(project.out))
    nearest = min(rates, key=lambda rate: abs(rate - 0.5))
    front = [rate for rate in rates if rate <= nearest]
    trials = count_of(len(front), 'trial')
    assert f'Pareto front: {trials} (acc largest, cost smallest)' in done.stdout
    status = project.run('status', 'out').stdout
    assert f'Pareto front: {trials}' in status
    leaders = json.loads(project.run('status', 'out', '--json').stdout)['leaders']
    assert sorted(each['params']['lr'] for each in leaders) == pytest.approx(front)
    assert f'postprocessing_pareto.csv ({trials}; acc largest, cost smallest)' in postprocess(project.out)
    table = (project.out / 'postprocessing_pareto.csv').read_text().splitlines()
    assert table[0].startswith('acc;cost;run;runs;') and len(table) == 1 + len(front)


def test_that_all_that_is_wrong_with_a_sampler_is_said_before_a_folder_is_made(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'mode': ['good', 'crash']})
    words = ['--search=cmaes', '--max_trials=3', '--search_options=popsiz=3', '--objective=acc', '--objective=scores']
    done = project.search(*words)
    assert done.returncode == 2
    for word in ('did you mean popsize?', 'has one objective only', 'needs an option with numbers'):
        assert word in done.stderr
    assert not project.out.exists()
