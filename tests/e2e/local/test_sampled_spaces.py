"""Searches whose grid has distributions, as a user runs them: the space of each run, also after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project

CONFIGURATION = """
from hpsearch import loguniform, uniform
grid = {'lr': loguniform(1e-3, 1), 'flag': [True, False], 'mode': 'choice({"good": 3, "half": 0})'}
conditions = [({'flag': [True]}, {'seconds': uniform(0, 0.01)})]
constraints = [lambda params: params['lr'] < 0.5]
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'scores', 'finished']
_SEARCH = 'random'
_MAX_TRIALS = 4
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    (project.path / 'my_config.py').write_text(CONFIGURATION)
    return project


def params(out: Path) -> list[dict[str, Any]]:
    """What was suggested, in the order of the numbers."""
    return [dict(run.params) for run in SearchFolder(out).read_runs()]


def test_that_a_complete_configuration_is_searched_by_its_name_and_keeps_its_constraints(project: Project) -> None:
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    assert '4 finished of 4 runs' in done.stdout
    done = project.run('resume', 'out', '--max_trials=12', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    found = params(project.out)
    assert len(found) == 12
    assert all(1e-3 <= each['lr'] < 0.5 and each['mode'] == 'good' for each in found)
    assert all(('seconds' in each) == each['flag'] for each in found)
    assert len({each['lr'] for each in found}) == 12
    assert len(project.rows()) == 12


def test_that_without_its_constraints_a_search_chooses_no_more_runs(project: Project) -> None:
    assert project.search('--cpu_jobs=2').returncode == 0
    (project.path / 'my_config.py').unlink()
    done = project.run('resume', 'out', '--max_trials=12', '--cpu_jobs=2')
    assert done.returncode == 2
    assert 'has the constraints of the search' in done.stderr
    assert 'Traceback' not in done.stderr
    assert len(params(project.out)) == 4
    assert '4 finished' in project.run('status', 'out').stdout


def test_that_a_plan_shows_the_space_and_examples_and_writes_nothing(project: Project) -> None:
    before = sorted(project.path.iterdir())
    done = project.run('plan', 'my_config')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    at = lines.index('Runs are chosen while the search goes, by random: 4 trials at most')
    assert lines[at + 1 : at + 5] == [
        'Space of 3 choices, no end of runs:',
        '  lr: loguniform(0.001, 1.0)',
        '  flag: choice([True, False])',
        '  seconds: uniform(0.0, 0.01)',
    ]
    examples = lines[lines.index('Examples, drawn at random (without their output folders):') + 1 :]
    assert len(examples) == 4
    assert all(line.startswith('python3 train.py --lr=0.') and line.count('--mode=good') == 1 for line in examples)
    assert len({line.split()[2] for line in examples}) == 4
    assert 'Best: largest acc' in lines
    assert sorted(project.path.iterdir()) == before
    assert project.run('plan', 'my_config').stdout == done.stdout, 'the same each time'


def test_that_a_plan_warns_of_options_that_the_script_does_not_have(project: Project) -> None:
    settings = ['--set', '+learning_rate~uniform(0, 1)', '--set', 'lr~choice([False, 0.25], weights=[1, 3])']
    done = project.run('plan', 'my_config', *settings)
    assert 'warning: learning_rate' in done.stdout
    assert 'warning: lr' in done.stdout


def test_that_commands_that_are_not_known_in_advance_are_not_printed(project: Project) -> None:
    done = project.run('plan', 'my_config', '--commands')
    assert done.returncode == 2
    assert '--commands: with --search=random' in done.stderr


def test_that_a_plan_of_a_space_that_constraints_leave_empty_says_so(project: Project) -> None:
    (project.path / 'my_config.py').write_text(CONFIGURATION + 'constraints = [lambda params: False]\n')
    done = project.run('plan', 'my_config')
    assert done.returncode == 2
    assert 'none of 10,000 draws is allowed' in done.stderr
    assert 'Traceback' not in done.stderr


def test_that_try_executes_an_example(project: Project) -> None:
    done = project.run('try', 'my_config', '2')
    assert done.returncode == 0, done.stderr
    example = project.run('plan', 'my_config').stdout.splitlines()[-3]
    lr = example.partition('--lr=')[2].partition(' ')[0]
    assert f'training with {lr}' in done.stdout
    assert 'this run would have finished' in done.stdout
    done = project.run('try', 'my_config', '5')
    assert 'RUN: there is no run 5' in done.stderr
