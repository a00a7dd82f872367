"""Searches whose code is edited while they run, as a user edits it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_harness import Project
from tests.support.harness import until
from tests.support.paths import REPOSITORY

SCRIPT = """\
import argparse, os, time
import model
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--n')
args = parser.parse_args()
os.makedirs(args.out_dir)
with open(os.environ['MARKS'] + '/began', 'a') as began:
    began.write(args.n + '\\n')
while not os.path.exists(os.environ['MARKS'] + '/go'):
    time.sleep(0.01)
with open(args.out_dir + '/performance_overview.txt', 'w') as summary:
    summary.write(f'acc {model.acc}\\nscores 1\\nfinished 1\\n')
"""


class Edited(Project):
    """A project of a script and a module, whose runs wait until they may end.

    Attributes:
        marks: A folder elsewhere: ``began`` has a line per start, ``go`` lets runs end.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path / 'project')
        self.marks = path / 'marks'
        self.marks.mkdir()
        self.env['MARKS'] = str(self.marks)
        (self.path / 'train.py').write_text(SCRIPT)
        (self.path / 'model.py').write_text('acc = 1\n')
        self.configure({'n': [1, 2, 3]})

    def configure(self, grid: Mapping[str, list[Any]], more: str = '', script: str = 'train.py') -> None:
        """Write the configuration, with another script."""
        super().configure(grid, more)
        path = self.path / 'my_config.py'
        path.write_text(path.read_text().replace("'train.py'", repr(script)))

    def began(self) -> int:
        """How many runs have begun."""
        path = self.marks / 'began'
        return len(path.read_text().splitlines()) if path.exists() else 0

    def edit_during_first_run(self, name: str, text: str, *words: str) -> str:
        """Search; write a file when the first run has begun and its code is known; returns what was printed."""
        search = self.start('--cpu_jobs=1', '--code_column', *words)
        until(lambda: self.began() == 1 and self.known_codes())
        (self.path / name).write_text(text)
        (self.marks / 'go').touch()
        out, err = search.communicate(timeout=60)
        assert search.returncode == 0, err
        return out

    def known_codes(self) -> list[str]:
        """The ids of the code that were found, in their order."""
        events = self.events() if self.out.exists() else []
        return [event['code'] for event in events if event['event'] == 'provenance']

    def postprocessed(self, *words: str) -> list[dict[str, str]]:
        """The table that postprocessing makes."""
        command = [sys.executable, '-m', 'postprocessing.main', str(self.out), *words]
        subprocess.run(command, cwd=REPOSITORY, env=self.env, check=True, capture_output=True)
        with (self.out / 'postprocessing_results.csv').open(newline='') as file:
            return list(csv.DictReader(file, delimiter=';'))

    def codes(self) -> dict[str, str]:
        """Accuracy to the code of the run, as the table has it."""
        return {row['acc']: row['hpsearch_code'] for row in self.rows()}


@pytest.fixture
def project(tmp_path: Path) -> Edited:
    return Edited(tmp_path)


def test_that_runs_before_and_after_an_edit_of_a_module_have_different_codes(project: Edited) -> None:
    printed = project.edit_during_first_run('model.py', 'acc = 2\n')
    codes = project.codes()
    assert len(set(codes.values())) == len(codes) == 2
    assert [codes['1'], codes['2']] == project.known_codes()
    text = f'the code changed between runs: 1 with {codes["1"]}, 2 with {codes["2"]} (changed: model.py)'
    assert f'warning: {text}' in printed
    assert f'(changed: model.py): runs start with {codes["2"]} from now on' in printed
    assert f'warning: {text}' in project.run('status', 'out').stdout
    status = json.loads(project.run('status', 'out', '--json').stdout)
    assert (status['codes'], status['code_changes']) == ({codes['1']: 1, codes['2']: 2}, text)


@pytest.mark.parametrize('name', ['data.csv', 'other.py', 'out/notes.txt'])
def test_that_an_edit_of_what_is_not_imported_is_no_change(project: Edited, name: str) -> None:
    printed = project.edit_during_first_run(name, 'acc = 2\n')
    assert len(set(project.codes().values())) == len(project.known_codes()) == 1
    assert 'the code' not in printed + project.run('status', 'out').stdout


def test_that_a_search_resumed_with_other_code_says_so(project: Edited) -> None:
    search = project.start('--cpu_jobs=1')
    until(lambda: project.began() == 1 and project.known_codes())
    assert project.run('stop', 'out').returncode == 0
    search.communicate(timeout=60)
    (project.path / 'model.py').write_text('acc = 2\n')
    (project.marks / 'go').touch()
    resumed = project.run('resume', 'out', '--code_column')
    assert resumed.returncode == 0, resumed.stderr
    assert 'the code has changed (changed: model.py)' in resumed.stdout
    assert project.codes() == {'2': project.known_codes()[-1]}


def test_that_runs_that_end_before_their_code_was_read_have_it_in_the_table(project: Edited) -> None:
    (project.marks / 'go').touch()
    assert project.search('--cpu_jobs=3', '--code_column').returncode == 0
    assert [row['hpsearch_code'] for row in project.rows()] == 3 * project.known_codes()


def test_that_postprocessing_has_the_column_where_the_search_has_it_or_on_request(project: Edited) -> None:
    (project.marks / 'go').touch()
    assert project.search('--cpu_jobs=1').returncode == 0
    assert 'hpsearch_code' not in project.rows()[0]
    assert 'hpsearch_code' not in project.postprocessed()[0]
    assert {row['hpsearch_code'] for row in project.postprocessed('--code_column')} == set(project.known_codes())


def test_that_postprocessing_agrees_with_the_search_on_the_codes(project: Edited) -> None:
    project.edit_during_first_run('model.py', 'acc = 2\n')
    assert [row['hpsearch_code'] for row in project.postprocessed()] == [row['hpsearch_code'] for row in project.rows()]


# A copy of the code


def test_that_all_runs_of_a_snapshot_have_the_code_there_was_at_first(project: Edited) -> None:
    printed = project.edit_during_first_run('model.py', 'acc = 2\n', '--snapshot')
    assert f'Runs are started from a copy of {project.path} (' in printed
    assert project.codes() == {'1': project.known_codes()[0]}
    assert 'code changed' not in printed + project.run('status', 'out').stdout


def test_that_a_snapshot_outlives_the_original_and_a_move_of_the_search(project: Edited, tmp_path: Path) -> None:
    project.configure({'n': [1, 2, 3]}, script=str(project.path / 'train.py'))
    project.env['PYTHONPATH'] += f':{project.path}'
    results = tmp_path / 'results'
    search = project.start('--cpu_jobs=1', '--snapshot', f'--out_dir={results}')
    until(lambda: project.began() == 1)
    stopped = project.run('stop', str(results))
    assert stopped.returncode == 0, stopped.stderr
    search.communicate(timeout=60)
    shutil.rmtree(project.path)
    results.rename(tmp_path / 'moved')
    project.path.mkdir()
    (project.path / 'model.py').write_text('acc = 2\n')
    (project.marks / 'go').touch()
    resumed = project.run('resume', str(tmp_path / 'moved'))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    with (tmp_path / 'moved' / 'search_results.csv').open(newline='') as file:
        assert {row['acc'] for row in csv.DictReader(file, delimiter=';')} == {'1'}
    assert f'{tmp_path}/moved/code/train.py' in (tmp_path / 'moved' / 'commands.sh').read_text()


def test_that_modules_that_are_found_by_a_variable_are_those_of_the_copy(project: Edited) -> None:
    (project.path / 'src').mkdir()
    (project.path / 'model.py').rename(project.path / 'src' / 'model.py')
    project.env['PYTHONPATH'] += f':{project.path / "src"}'
    project.edit_during_first_run('src/model.py', 'acc = 2\n', '--snapshot')
    assert list(project.codes()) == ['1']


def test_that_a_command_runs_in_the_copy_and_finds_ignored_data(project: Edited) -> None:
    (project.path / 'data').mkdir()
    (project.path / 'data' / 'set.txt').write_text('7')
    (project.path / '.gitignore').write_text('data/\nout/\n')
    subprocess.run(['git', 'init', '-q', str(project.path)], check=True)
    (project.path / 'run.sh').write_text(
        'python3 -c "import model; print(model.acc, open(\'data/set.txt\').read())" && exec python3 train.py "$@"\n'
    )
    project.configure({'n': [1]}, "_COMMAND = ['sh', 'run.sh']")
    text = (project.path / 'my_config.py').read_text().replace("_SCRIPT_NAME = 'train.py'\n", '')
    (project.path / 'my_config.py').write_text(text)
    search = project.start('--cpu_jobs=2', '--snapshot', '--dont_start')
    _, err = search.communicate(timeout=60)
    assert search.returncode == 0, err
    assert 'with links to what is not copied: data' in project.run('plan', 'my_config.py', '--snapshot').stdout
    (project.path / 'model.py').write_text('acc = 2\n')
    (project.path / 'run.sh').write_text('exit 1\n')
    (project.marks / 'go').touch()
    assert project.run('resume', 'out').returncode == 0
    assert project.run('logs', 'out', '1').stdout.endswith('\n1 7\n')
    assert [row['acc'] for row in project.rows()] == ['1']


def test_that_a_path_out_of_the_copy_is_warned_of(project: Edited) -> None:
    project.configure({'n': ['../marks', '../nothing', 'data']})
    planned = project.run('plan', 'my_config.py', '--snapshot').stdout
    warning = "warning: n: '../marks' is relative to the working directory, which is in the copy: give an absolute path"
    assert warning in planned
    assert 'nothing' not in planned.partition('Commands')[0]
    assert warning not in project.run('plan', 'my_config.py').stdout


def test_that_the_copy_of_an_earlier_search_is_moved_aside_with_it(project: Edited) -> None:
    (project.marks / 'go').touch()
    for accuracy in ('1', '2'):
        (project.path / 'model.py').write_text(f'acc = {accuracy}\n')
        done = project.search('--cpu_jobs=3', '--snapshot', '--dont_force_new_dir')
        assert done.returncode == 0, done.stderr
        assert {row['acc'] for row in project.rows()} == {accuracy}
    (earlier,) = project.out.glob('earlier_*')
    assert (earlier / 'code' / 'model.py').read_text() == 'acc = 1\n'


def test_that_an_extension_uses_the_copy(project: Edited) -> None:
    (project.marks / 'go').touch()
    script = str(project.path / 'train.py')
    project.configure({'n': [1, 2, 3]}, script=script)
    assert project.search('--cpu_jobs=3', '--snapshot').returncode == 0
    (project.path / 'model.py').write_text('acc = 2\n')
    project.configure({'n': [1, 2, 3, 4]}, script=script)
    assert project.run('resume', 'out', '--extend').returncode == 0
    assert [row['acc'] for row in project.rows()] == 4 * ['1']
    assert (project.out / 'commands.sh').read_text().count(f'{project.out}/code/train.py') == 4


@pytest.mark.parametrize(
    ('ignored', 'problem'), [('train.py', 'train.py would not be in the copy'), ('', 'no more than 20,000 files')]
)
def test_that_what_cannot_be_copied_is_said_before_anything_is_made(
    project: Edited, ignored: str, problem: str
) -> None:
    subprocess.run(['git', 'init', '-q', str(project.path)], check=True)
    (project.path / '.gitignore').write_text(f'{ignored}\n')
    with (project.path / 'large.bin').open('wb') as large:
        large.truncate(0 if ignored else 1 << 30)
    refused = project.search('--snapshot')
    assert refused.returncode == 2
    assert problem in refused.stderr
    assert not project.out.exists()
