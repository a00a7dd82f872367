"""Values that reach a script by words of its command, by variables and by a file, in searches that are gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.cli_harness import Project

CONFIG = """\
grid = {'model.lr': [0.5, 1e-05]}
_SCRIPT_NAME = 'train.py'
_COMMAND = ['{python}', '{script}', '--log={out_dir}/log.txt', '--gpus={gpus}']
_ENV = {'NAME': '{run}', 'WHERE': '{out_dir}'}
_CONFIG_TEMPLATE = 'base.json'
_MAKE_OUT_DIR = True
_RESULT = 'result.json'
_PERFORMANCE_KEY = 'lr'
"""

SCRIPT = """\
import json, os, sys
log, gpus, config = (word.partition('=')[2] for word in sys.argv[1:])
lr = json.load(open(config))['model']['lr']
folder = os.environ['WHERE']
assert os.path.dirname(log) == folder and os.path.basename(folder) == os.environ['NAME'], (sys.argv, folder)
assert os.path.dirname(os.path.dirname(os.path.dirname(config))) == os.path.dirname(folder), (sys.argv, folder)
with open(folder + '/result.json', 'w') as file:
    json.dump({'lr': lr, 'gpus': int(gpus), 'folder': folder}, file)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / 'project')
    for name, text in [('my_config.py', CONFIG), ('train.py', SCRIPT), ('base.json', '{"model": {"lr": 0}}')]:
        (made.path / name).write_text(text)
    return made


def rows(folder: Path) -> list[dict[str, str]]:
    """The table of a search."""
    with open(folder / 'search_results.csv', newline='') as file:
        return list(csv.DictReader(file, delimiter=';'))


def test_that_a_search_that_was_moved_passes_its_new_place(project: Project) -> None:
    assert project.search('--dont_start').returncode == 0
    moved = project.out.rename(project.path / "it's moved")
    (project.path / 'base.json').write_text('{"other": 1}')
    done = project.run('resume', str(moved), '--cpu_jobs=2')
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(moved)
    assert sorted(float(row['lr']) for row in found) == [1e-05, 0.5]
    assert sorted(row['folder'] for row in found) == [str(moved / name) for name in sorted(names(moved))]


def names(folder: Path) -> list[str]:
    """The names of the runs of a search."""
    return [json.loads(line)['run'] for line in (folder / 'runs.jsonl').read_text().splitlines()]


def test_that_commands_keep_the_number_of_gpus_that_they_were_made_for(project: Project) -> None:
    assert project.search('--dont_start', '--gpus_per_run=2').returncode == 0
    refused = project.run('resume', 'out', '--cpu_jobs=1', '--gpus_per_run=3')
    assert refused.returncode == 2
    assert 'the commands of this search are for 2 ({gpus} in _COMMAND)' in refused.stderr
    done = project.run('resume', 'out', '--cpu_jobs=2', '--gpus_per_run=2')
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row['gpus'] for row in rows(project.out)} == {'2'}


def test_that_a_search_is_extended_by_runs_with_files(project: Project) -> None:
    assert project.search('--cpu_jobs=2', '--gpus_per_run=2').returncode == 0
    (project.path / 'my_config.py').write_text(CONFIG.replace('[0.5', '[0.25, 0.5'))
    done = project.run('resume', 'out', '--extend')
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(float(row['lr']) for row in rows(project.out)) == [1e-05, 0.25, 0.5]
    (project.path / 'base.json').write_text('{"model": {"lr": 0}, "other": 1}')
    refused = project.run('resume', 'out', '--extend')
    assert refused.returncode == 2 and '_CONFIG_TEMPLATE: was ' in refused.stderr


def test_that_results_are_reused_if_command_variables_and_template_are_the_same(project: Project) -> None:
    assert project.search('--cpu_jobs=2').returncode == 0
    earlier = project.out.rename(project.path / 'earlier')
    assert project.search('--cpu_jobs=2', f'--reuse={earlier}').returncode == 0
    assert ['reused' in row['hpsearch_reason'] for row in rows(project.out)] == [True, True]
    project.out.rename(project.path / 'second')
    (project.path / 'my_config.py').write_text(CONFIG.replace("'{run}',", "'{run}', 'OTHER': '1',"))
    assert project.search('--cpu_jobs=2', f'--reuse={earlier}').returncode == 0
    assert ['reused' in row['hpsearch_reason'] for row in rows(project.out)] == [False, False]
