"""``hpsearch init``: from a script to a configuration that can be run."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.e2e.local.test_try import left, project
from tests.support.cli_harness import Project

pytestmark = pytest.mark.e2e

__all__ = ['project']


def test_that_three_commands_lead_to_a_table(project: Project) -> None:
    done = project.run('init', 'train.py')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 'train.py: 4 options are shown by its help, and --out_dir for the output folder.' in lines
    assert 'Its result seems to be in performance_overview.txt: acc' in lines
    assert lines[-1] == 'Then: hpsearch run train_search.py'
    assert not left(project)
    module = project.path / 'train_search.py'
    module.write_text(module.read_text().replace("'lr': [0.1]", "'lr': [0.1, 0.2]"))
    ran = project.run('run', 'train_search.py', '--cpu_jobs=2', '--force_out_dir', f'--out_dir={project.out}')
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (project.out / 'search_results.csv').read_text().count('finished') >= 2


def test_that_no_file_is_overwritten(project: Project) -> None:
    (project.path / 'train_search.py').write_text('mine')
    done = project.run('init', 'train.py')
    assert (done.returncode, done.stderr) == (
        2,
        'hpsearch: train_search.py: exists, and is not overwritten; --output=FILE names another file.\n',
    )
    assert (project.path / 'train_search.py').read_text() == 'mine'
    assert not (project.path / 'ran.txt').exists()
    assert project.run('init', 'train.py', '--output=other.py').returncode == 0
    assert "'lr': [0.1]" in (project.path / 'other.py').read_text()


@pytest.mark.parametrize(
    ('name', 'text', 'problem'),
    [
        ('notes.txt', 'hello', 'notes.txt: is no script: a .py file or an executable program is expected.'),
        ('nowhere.py', None, 'nowhere.py: there is no such file; the path of a script is expected.'),
        ('a.py', "grid = {'lr': [1]}\n_SCRIPT_NAME = 'train.py'\n", 'a.py: is a configuration, not a script: '),
    ],
)
def test_that_what_is_no_script_is_refused_in_a_line(
    project: Project, name: str, text: str | None, problem: str
) -> None:
    if text is not None:
        (project.path / name).write_text(text)
    done = project.run('init', name)
    assert done.returncode == 2 and done.stderr.startswith(f'hpsearch: {problem}') and done.stderr.count('\n') == 1
    assert not list(project.path.glob('*_search.py'))


def test_that_the_script_is_not_run_where_that_is_not_wanted(project: Project) -> None:
    done = project.run('init', 'train.py', '--dont_try')
    assert done.returncode == 0 and not (project.path / 'ran.txt').exists()
    assert '_RESULT: where the result is; none was recognized.' in done.stdout
    assert '_SUMMARY_FILENAME = None' in (project.path / 'train_search.py').read_text()


def test_that_a_script_that_needs_its_output_folder_gets_it_made(project: Project) -> None:
    script = project.path / 'train.py'
    script.write_text(
        script.read_text()
        .replace('os.makedirs(args.out_dir)\n', '')
        .replace('if os.path.exists', 'if 0 and os.path.exists')
    )
    done = project.run('init', 'train.py')
    assert 'Its result seems to be in performance_overview.txt: acc' in done.stdout, done.stdout + done.stderr
    assert '_MAKE_OUT_DIR = True' in (project.path / 'train_search.py').read_text()


def test_that_a_run_that_fails_is_told_and_the_module_is_written(project: Project) -> None:
    script = project.path / 'train.py'
    script.write_text(script.read_text().replace("default='good'", "default='crash'"))
    done = project.run('init', 'train.py')
    assert done.returncode == 0
    assert 'The run has failed, so nothing was learned of its result: ' in done.stdout
    assert 'RuntimeError: the loss is nan' in done.stdout
    assert '_OUT_ARG = ' in (project.path / 'train_search.py').read_text()


def test_that_a_run_that_is_ended_counts_as_far_as_it_came(project: Project) -> None:
    script = project.path / 'train.py'
    script.write_text(
        script.read_text().replace('time.sleep(args.seconds)', 'print("acc: 0.5", flush=True); time.sleep(600)')
    )
    command = project.command('init', 'train.py')
    with subprocess.Popen(command, cwd=project.path, env=project.env, stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout is not None
        for line in starting.stdout:
            if line == 'acc: 0.5\n':
                break
        starting.send_signal(signal.SIGINT)
        printed = starting.stdout.read()
        assert starting.wait(60) == 0
    assert "Its result seems to be in stdout, behind 'acc': acc" in printed
    assert '_RESULT' in (project.path / 'train_search.py').read_text() and not left(project)


def test_that_a_script_whose_help_fails_is_told_how_to_see_why(project: Project) -> None:
    (project.path / 'train.py').write_text('import argparse, nowhere\n')
    done = project.run('init', 'train.py', f'--python={sys.executable}')
    assert done.returncode == 0 and 'train.py: no options are shown by its help.' in done.stdout
    assert f'see what {sys.executable} train.py --help prints' in done.stdout
    assert done.stdout.splitlines()[-1] == f'Then: hpsearch run train_search.py --python={sys.executable}'


def test_that_a_folder_that_is_not_there_is_told_before_the_script_is_run(project: Project) -> None:
    done = project.run('init', 'train.py', '--output=configs/a.py')
    assert (done.returncode, done.stderr) == (2, 'hpsearch: --output: there is no folder configs.\n')
    assert not (project.path / 'ran.txt').exists()


def test_that_a_program_is_called_by_its_path(project: Project) -> None:
    script = project.path / 'train.sh'
    script.write_text('#!/bin/sh\necho done\n')
    script.chmod(0o755)
    assert project.run('init', 'train.sh').returncode == 0
    text = (project.path / 'train_search.py').read_text()
    assert "_COMMAND = ['./train.sh']" in text and 'grid = {\n}' in text
