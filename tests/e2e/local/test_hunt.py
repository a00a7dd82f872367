"""``hpsearch hunt``: command lines and configurations of Oríon, with its own client where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_harness import Project

pytestmark = pytest.mark.e2e

SCRIPT = """\
import json, os, sys
x = float(sys.argv[sys.argv.index('-x') + 1]) if '-x' in sys.argv else json.load(open(sys.argv[-1]))['x']
with open('ran.txt', 'a') as ran:
    ran.write(f'{x}\\n')
with open(os.environ['ORION_RESULTS_PATH'], 'w') as file:
    json.dump([{'name': 'objective', 'type': 'objective', 'value': (x - 3) ** 2}], file)
"""
"""Writes what the client of Oríon writes."""

CONFIGURATION = """\
experiment:
  name: example
  algorithms: {random: {seed: 7}}
  max_trials: 5
  max_broken: 2
worker: {n_workers: 2, pool_size: 3}
storage: {database: {type: pickleddb, host: db.pkl}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    (project.path / 'main.py').write_text(SCRIPT)
    (project.path / 'orion.yaml').write_text(CONFIGURATION)
    return project


COMMAND = ['python3', 'main.py', '-x~uniform(-5, 5)']


def ran(project: Project) -> list[str]:
    return (project.path / 'ran.txt').read_text().splitlines()


def options_of(project: Project, name: str) -> dict[str, object]:
    info = (project.path / 'out' / 'hyperparam_search' / name / 'search.json').read_text()
    options: dict[str, object] = json.loads(info)['options']
    return options


def test_that_a_configuration_of_orion_is_hunted(project: Project) -> None:
    done = project.run('hunt', '--config', 'orion.yaml', '--pool-size=4', *COMMAND)
    assert done.returncode == 0, done.stderr
    assert len(ran(project)) == 5 and 'best: smallest objective' in done.stdout
    assert 'Oríon: --pool_size: not used here.' in done.stdout
    assert 'worker.pool_size: not used here' in done.stdout and 'storage: not used here' in done.stdout
    options = options_of(project, 'example')
    names = ('search', 'max_trials', 'max_broken', 'random_seed', 'cpu_jobs')
    assert [options[name] for name in names] == ['random', 5, 2, 7, 2]


def test_that_hunting_by_the_same_name_goes_on(project: Project) -> None:
    words = ['-n', 'one', '--max-trials', '2', '--n-workers=1']
    assert project.run('hunt', *words, *COMMAND).returncode == 0
    assert project.run('hunt', *words, *COMMAND).returncode == 0
    assert len(ran(project)) == 2
    assert project.run('hunt', '-n', 'one', '--exp-max-trials=4').returncode == 0
    assert len(ran(project)) == 4
    status = project.run('status', 'out/hyperparam_search/one')
    assert '4 of 4 done' in status.stdout


def test_that_another_search_of_the_same_name_is_refused(project: Project) -> None:
    assert project.run('hunt', '-n', 'one', '--max-trials=1', *COMMAND).returncode == 0
    done = project.run('hunt', '-n', 'one', '--search=qmc', 'python3', 'main.py', '-x~uniform(-5, 6)')
    assert (
        done.returncode == 2 and '--search: is qmc, and the search one has random; choose another name' in done.stderr
    )
    assert 'x: is searched otherwise in the search one; choose another name (-n).' in done.stderr
    done = project.run('hunt', '-n', 'one', *COMMAND, 'more')
    assert 'the command is another one in the search one' in done.stderr
    assert len(ran(project)) == 1


def test_that_hunts_that_begin_at_once_make_one_search(project: Project) -> None:
    words = ['hunt', '--config', 'orion.yaml', '--max-trials=6', '--working-dir=hunts', *COMMAND]
    hunts = [
        subprocess.Popen(
            [sys.executable, '-m', 'hpsearch', *words], cwd=project.path, env=project.env or os.environ,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    outputs = [hunt.communicate(timeout=100)[0] for hunt in hunts]
    assert [hunt.returncode for hunt in hunts] == [0, 0, 0], outputs
    assert len(ran(project)) == len(set(ran(project))) == 6
    assert [path.name for path in (project.path / 'hunts').iterdir()] == ['example']


def test_that_a_space_file_of_a_script_is_hunted(project: Project) -> None:
    (project.path / 'space.json').write_text('{"x": "orion~uniform(1, 2)", "n": 3}')
    words = ['hunt', '-n', 'space', '--max-trials=3', 'python3', 'main.py', '--config', 'space.json']
    done = project.run(*words)
    assert done.returncode == 0, done.stderr
    assert all(1 <= float(x) <= 2 for x in ran(project)) and len(ran(project)) == 3
    assert project.run(*words).returncode == 0


def test_that_a_grid_of_orion_is_a_grid(project: Project) -> None:
    (project.path / 'grid.yaml').write_text('algorithm: gridsearch\nname: all\n')
    words = ['hunt', '-c', 'grid.yaml', 'python3', 'main.py', '-x', 'orion~choices([1, 2, 3])']
    done = project.run(*words)
    assert done.returncode == 0, done.stderr
    assert sorted(ran(project)) == ['1.0', '2.0', '3.0'] and options_of(project, 'all')['search'] == 'grid'


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['-n', 'a'], 'give the command of its runs'),
        (COMMAND, 'the name of the search is expected'),
        (['-n', 'a/b', *COMMAND], 'the name of the search is expected'),
        (['-n', 'a', *COMMAND], 'give --max_trials=N'),
        (['-n', 'a', '-c', 'main.py', *COMMAND], 'main.py'),
        (['-n', 'a', '-c', 'bohb.yaml', *COMMAND], 'bohb is not here; give what is nearest: --search=tpe'),
        (['-n', 'a', '--max-trials=1', 'python3', 'main.py', '-x~unifrom(1, 2)'], 'The command: x: '),
        (['-n', 'a', '--max-trials=1', 'python3', 'main.py'], 'The command: has no priors'),
        (['-n', 'a', '--maxtrials=1', *COMMAND], 'did you mean --max_trials?'),
    ],
)
def test_that_what_is_missing_or_wrong_is_said(project: Project, words: list[str], said: str) -> None:
    (project.path / 'bohb.yaml').write_text('experiment: {algorithms: bohb, max_trials: 3}\n')
    done = project.run('hunt', *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not (project.path / 'out').exists()


ORIONS_EXAMPLE = """\
import argparse

from orion.client import report_objective

parser = argparse.ArgumentParser()
parser.add_argument('-x', type=float, required=True)
args = parser.parse_args()
y = args.x - 34.56789
report_objective(4 * y**2 + 23.4)
"""
"""A script for Oríon as its documentation has them."""


def python_with_orion() -> str:
    """Return an interpreter that has Oríon; empty: there is none."""
    named = os.environ.get('HPSEARCH_PYTHON_WITH_ORION', '')
    for python in filter(None, (named, sys.executable, shutil.which('python3'))):
        if subprocess.run([python, '-c', 'import orion.client'], capture_output=True, check=False).returncode == 0:
            return python
    return ''


def test_that_a_script_with_the_client_of_orion_runs_as_it_is(project: Project) -> None:
    python = python_with_orion()
    if not python:
        pytest.skip('Oríon is not installed; HPSEARCH_PYTHON_WITH_ORION can name an interpreter that has it')
    (project.path / 'black_box.py').write_text(ORIONS_EXAMPLE)
    words = ['-n', 'black-box', '--max-trials=4', '--n-workers=2', python, 'black_box.py', '-x~uniform(-50, 50)']
    done = project.run('hunt', *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '4 finished of 4 runs' in done.stdout
