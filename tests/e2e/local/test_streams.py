"""Commands whose streams nobody reads any more, or that were closed before: what they do is done all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish, gated

POSTPROCESSED = ['postprocessing_results.csv', 'finished_runs.jsonl', 'unfinished_runs.jsonl', 'missing_runs.jsonl']


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    project.configure({'mode': ['good', 'crash']})
    return project


@pytest.fixture
def gone() -> Iterator[int]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def execute(project: Project, *words: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    """Run a command with some streams; the others are read."""
    fitting = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **streams}
    return subprocess.run(words, cwd=project.path, env=project.env, text=True, timeout=120, check=False, **fitting)


def search_words(project: Project, *more: str) -> list[str]:
    words = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--visible_gpus=-1', *more]
    return project.command(*words, '--fail_fast=0')


def without_streams(*words: str) -> list[str]:
    """The words that run a command whose standard streams are closed."""
    return ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', *words]


def test_that_a_search_goes_on_when_nobody_reads_it(project: Project, gone: int) -> None:
    done = execute(project, *search_words(project), stdout=gone, stderr=gone)
    assert done.returncode == 1, 'a run failed'
    assert project.states() == {'good': 'finished', 'crash': 'failed'}


def test_that_a_search_needs_no_streams(project: Project) -> None:
    done = execute(project, *without_streams(*search_words(project)))
    assert done.returncode == 1
    assert project.states() == {'good': 'finished', 'crash': 'failed'}
    for journal in (project.out / 'journal').iterdir():
        assert b'training with' not in journal.read_bytes(), 'no file of ours has the descriptor of a stream'


@pytest.mark.parametrize('verb', ['plan', 'status'])
def test_that_what_is_shown_may_be_cut_off(project: Project, gone: int, verb: str) -> None:
    execute(project, *search_words(project))
    where = ['my_config.py'] if verb == 'plan' else ['out']
    done = execute(project, *project.command(verb, *where), stdout=gone)
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('more', [['--set', 'lr=1', '--set', 'nonsense'], []])
def test_that_a_wrong_request_has_its_exit_status_without_a_reader(
    project: Project, gone: int, more: list[str]
) -> None:
    words = search_words(project, *more) if more else project.command('status', 'nowhere')
    assert execute(project, *words, stdout=gone, stderr=gone).returncode == 2
    assert execute(project, *without_streams(*words)).returncode == 2


def test_that_a_resumed_search_is_resumed_when_nobody_reads_which_one(project: Project, gone: int) -> None:
    execute(project, *search_words(project, '--dont_start'))
    done = execute(project, *project.command('resume'), stdout=gone, stderr=gone)
    assert done.returncode == 1
    assert project.states() == {'good': 'finished', 'crash': 'failed'}


def test_that_a_stop_is_carried_out_when_nobody_reads_of_it(tmp_path: Path, gone: int) -> None:
    with gated(tmp_path / 'gated', 2) as project:
        search = project.begin(2)
        done = execute(project, *project.command('stop', 'out'), stdout=gone)
        assert (done.returncode, done.stderr) == (0, '')
        finish(search, (130,))
        assert not project.living()


def test_that_runs_without_a_dispatcher_are_ended_when_nobody_reads_of_it(tmp_path: Path, gone: int) -> None:
    with gated(tmp_path / 'gated', 2) as project:
        search = project.begin(2)
        search.kill()
        search.communicate()
        done = execute(project, *project.command('stop', 'out'), stdout=gone)
        assert (done.returncode, done.stderr) == (0, '')
        assert states_of(project) == {'interrupted'}


def states_of(project: Gated) -> set[str]:
    return {ends[-1][0] for ends in project.ends().values()}


def test_that_postprocessing_writes_everything_when_nobody_reads_of_it(project: Project, gone: int) -> None:
    execute(project, *search_words(project))
    words = [sys.executable, '-m', 'hpsearch_postprocessing.main', 'out', '--seed_key=mode']
    read = execute(project, *words)
    expected = {path: path.read_bytes() for name in POSTPROCESSED for path in [project.out / name]}
    assert all(path.name in read.stdout for path in expected)
    for path in expected:
        path.unlink()
    done = execute(project, *words, stdout=gone)
    assert (done.returncode, done.stderr) == (0, '')
    assert {path: path.read_bytes() for path in expected} == expected


def test_that_postprocessing_says_that_its_output_was_lost_and_writes_everything(project: Project) -> None:
    execute(project, *search_words(project))
    words = [sys.executable, '-m', 'hpsearch_postprocessing.main', 'out', '--seed_key=mode']
    with open('/dev/full', 'w') as full:
        done = execute(project, *words, stdout=full)
    assert done.returncode == 0
    assert done.stderr == 'hpsearch: the output is not complete: No space left on device\n'
    assert all((project.out / name).exists() for name in POSTPROCESSED)


def test_that_postprocessing_prints_what_the_terminal_cannot_show(project: Project) -> None:
    execute(project, *search_words(project))
    project.out.rename(project.path / 'résultats')
    project.env['PYTHONIOENCODING'] = 'ascii'
    words = [sys.executable, '-m', 'hpsearch_postprocessing.main', 'résultats']
    done = execute(project, *words)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'r\\xe9sultats' in done.stdout
