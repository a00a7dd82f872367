"""Searches whose configuration is a command: they run, and go on from their folder alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.cli_harness import Project

pytestmark = pytest.mark.e2e

SCRIPT = """\
import argparse, json, os
parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float, default=0)
parser.add_argument('--big', action='store_true')
parser.add_argument('--config')
parser.add_argument('--to')
args = parser.parse_args()
lr = json.load(open(args.config))['model']['lr'] if args.config else args.lr
assert args.to is None or os.path.isdir(args.to)
with open('ran.txt', 'a') as ran:
    ran.write(f'{lr} {args.big}\\n')
print(f'step 1 acc={lr / 2}')
print(f'step 2 acc={lr + args.big}')
"""
"""A script of anybody: it has no option for hpsearch, and prints its result."""

RESULT = '--result=stdout:acc=([0-9.]+)'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    (project.path / 'train.py').write_text(SCRIPT)
    return project


def ran(project: Project) -> list[str]:
    return sorted((project.path / 'ran.txt').read_text().splitlines())


def only_search(project: Project) -> Path:
    (folder,) = (project.path / 'out' / 'hyperparam_search').iterdir()
    return folder


def test_that_a_command_is_searched_without_any_file(project: Project) -> None:
    command = ['python3', 'train.py', '--to', '{out_dir}', '--lr~[0.1, 0.5]', '--big~[true,false]']
    done = project.run('run', '--cpu_jobs=2', RESULT, '--', *command)
    assert done.returncode == 0, done.stderr
    assert ran(project) == ['0.1 False', '0.1 True', '0.5 False', '0.5 True']
    assert 'largest acc' in done.stdout and not (project.path / 'search.yaml').exists()


def test_that_such_a_search_goes_on_from_its_folder_alone(project: Project) -> None:
    (project.path / 'space.json').write_text(json.dumps({'model': {'lr': 'orion~[0.1, 0.5]'}, 'n': 3}))
    created = project.run('run', '--dont_start', RESULT, '--', 'python3', 'train.py', '--config', 'space.json')
    folder = Path(created.stdout.splitlines()[-1])
    assert folder == only_search(project) and json.loads((folder / 'search.json').read_text())
    (project.path / 'space.json').unlink()
    moved = Path(shutil.move(folder, project.path / 'elsewhere'))
    assert project.run('status', str(moved)).returncode == 0
    done = project.run('resume', str(moved), '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    assert ran(project) == ['0.1 False', '0.5 False']
    text = (moved / 'search.yaml').read_text()
    (moved / 'search.yaml').write_text(text.replace('"model.lr": [0.1, 0.5]', '"model.lr": [0.5, 0.7]'))
    done = project.run('resume', str(moved), '--extend')
    assert '1 run added' in done.stdout + done.stderr, done.stderr
    assert ran(project) == ['0.1 False', '0.5 False', '0.7 False']


def test_that_the_configuration_it_leaves_makes_the_same_search(project: Project) -> None:
    command = ['python3', 'train.py', '--lr~[0.1, 0.5]', '--big~[true,false]']
    project.run('run', '--dont_start', RESULT, '--', *command)
    first = project.run('plan', '--commands', RESULT, '--', *command)
    second = project.run('plan', '--commands', str(only_search(project) / 'search.yaml'))
    assert first.stdout == second.stdout and len(first.stdout.splitlines()) == 4


def test_that_a_command_can_be_tried(project: Project) -> None:
    done = project.run('try', '2', '--deterministic_search', RESULT, '--', 'python3', 'train.py', '--lr~[0.1, 0.5]')
    assert done.returncode == 0 and 'acc  0.5' in done.stdout, done.stdout


def test_that_a_sampled_search_needs_nothing_but_its_command(project: Project) -> None:
    objective = ['--objective', 'stdout:acc=([0-9.]+)', '--direction=minimize']
    words = ['--search=random', '--max_trials=4', '--cpu_jobs=2', *objective]
    done = project.run('run', *words, '--', 'python3', 'train.py', '--lr~uniform(0.1, 0.9)', '--big~[true,false]')
    assert done.returncode == 0, done.stderr
    assert len(ran(project)) == 4 and all(0.1 <= float(line.split()[0]) <= 0.9 for line in ran(project))
    assert 'best: smallest acc' in done.stdout
    more = project.run('resume', str(only_search(project)), '--max_trials=6')
    assert more.returncode == 0 and len(ran(project)) == 6, more.stderr
    again = project.run('run', str(only_search(project) / 'search.yaml'), '--cpu_jobs=2', '--out_dir=again')
    assert again.returncode == 0, again.stderr
    assert len(ran(project)) == 10 and 'best: smallest acc' in again.stdout


def test_that_a_sampled_search_says_what_is_missing(project: Project) -> None:
    command = ['--', 'python3', 'train.py', '--lr~uniform(0, 1)']
    assert '--max_trials=N' in project.run('run', '--search=random', *command).stderr
    assert '--search=random' in project.run('run', *command).stderr
    told = [*command, '--to', '{out_dir}']
    keyless = project.run('run', '--search=random', '--max_trials=2', '--objective=lightning', *told).stderr
    assert '--objective=lightning: names no value; add a key, as in lightning:loss.' in keyless
    nowhere = project.run('run', '--search=random', '--max_trials=2', '--objective=acc', *command).stderr
    assert "--objective: is 'acc', and nothing says where results are; give --result too" in nowhere
    objectives = ['--objective=metrics:acc', '--objective=metrics:size', '--direction=minimize']
    half = project.run('run', '--search=random', '--max_trials=2', *objectives, *command).stderr
    assert '--direction: give it 2 times, once for each objective, in their order.' in half
    mistyped = project.run('run', '--search=random', '--max_trials=2', '--objective=stdot:a=(.*)', *command).stderr
    assert 'did you mean stdout: instead of stdot:?' in mistyped
    wrong = project.run('run', '--search=random', '--max_trials=2', '--objective=acc', '--result=stdout:(', *command)
    assert 'is not a regular expression' in wrong.stderr and 'where results are' not in wrong.stderr


def test_that_a_mistyped_option_of_a_command_is_doubted_before_anything_runs(project: Project) -> None:
    done = project.run('plan', RESULT, '--', 'python3', 'train.py', '--bgi', '--lr_~[0.1]')
    assert 'warning: the --help of the script shows no --bgi; did you mean --big?' in done.stderr + done.stdout
    assert 'shows no --lr_; did you mean --lr?' in done.stderr + done.stdout
    assert not (project.path / 'ran.txt').exists()
    missing = project.run('plan', RESULT, '--', 'python3', 'tarin.py', '--lr~[0.1]')
    assert f'warning: there is no file {project.path}/tarin.py' in missing.stderr + missing.stdout


def test_that_a_program_that_is_not_there_is_said_with_what_may_be_meant(project: Project) -> None:
    project.env = {**(project.env or os.environ), 'PATH': '/nowhere'}
    done = project.run('run', '--', 'python', 'train.py', '--lr~[0.1]')
    assert done.returncode == 2 and "'python' is not an executable" in done.stderr and 'write python3' in done.stderr
