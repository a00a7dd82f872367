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
