"""``hpsearch try``: one run in the foreground, and what was understood of it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cli_harness import Project
from tests.support.harness import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    project.env = {**(project.env or os.environ), 'TMPDIR': str(tmp_path / 'scratch')}
    (tmp_path / 'scratch').mkdir()
    return project


def left(project: Project) -> list[Path]:
    """What is left of the scratch folders."""
    return list((project.path.parent / 'scratch').iterdir())


def test_that_a_run_that_is_tried_shows_its_command_its_output_and_its_result(project: Project) -> None:
    project.configure({'lr': [0.1, 0.25]})
    done = project.run('try', 'my_config', '2', '--deterministic_search')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith('Run 2: ') and line.endswith('--lr=0.25') for line in lines)
    assert 'training with 0.25' in lines and any('this run would have finished' in line for line in lines)
    assert '  acc       0.75   (best: largest acc)' in lines and '  finished  1' in lines
    assert not left(project) and not project.out.exists()


def test_that_a_run_that_fails_says_why_and_keeps_its_folder(project: Project) -> None:
    project.configure({'mode': ['silent']})
    done = project.run('try', 'my_config')
    assert done.returncode == 1
    assert 'this run would have failed' in done.stdout and 'no summary file' in done.stdout
    (folder,) = left(project)
    assert f'Its folder is kept: {folder}' in done.stdout


def test_that_the_error_of_a_script_is_shown_and_told(project: Project) -> None:
    project.configure({'mode': ['crash']})
    done = project.run('try', '--grid_module=my_config')
    assert done.returncode == 1
    assert 'Traceback' in done.stderr and 'RuntimeError: the loss is nan' in done.stdout


def test_that_a_performance_key_that_is_not_in_the_result_is_told(project: Project) -> None:
    project.configure({'lr': [0.1]}, "_SUMMARY_KEYWORDS = ['accuracy', 'finished']")
    done = project.run('try', 'my_config', '--keep')
    assert (
        'Missing: accuracy, by which runs are sorted (_PERFORMANCE_KEY); there are: acc, scores, finished'
        in done.stdout
    )
    assert len(left(project)) == 1


def test_that_a_run_that_is_not_in_the_plan_is_refused(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2]})
    done = project.run('try', 'my_config', '3')
    assert (done.returncode, done.stderr) == (2, 'hpsearch: RUN: there is no run 3; the plan has 2.\n')
    assert not left(project)


def test_that_nothing_is_left_of_a_run_that_is_interrupted(project: Project) -> None:
    project.configure({'seconds': [600]})
    command = project.command('try', 'my_config')
    with subprocess.Popen(command, cwd=project.path, env=project.env, stdout=subprocess.PIPE, text=True) as trying:
        assert trying.stdout is not None
        until((project.path / 'ran.txt').exists)
        trying.send_signal(signal.SIGINT)
        assert trying.wait(60) == 130
    assert not left(project)


@pytest.mark.parametrize('words', [(), ('--search=random',)])
def test_that_a_run_of_a_grid_with_distributions_is_tried_without_a_sampler_or_an_end(
    project: Project, words: tuple[str, ...]
) -> None:
    project.configure({}, "from hpsearch import uniform\ngrid = {'lr': uniform(0.1, 0.3)}")
    done = project.run('try', 'my_config', *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'this run would have finished' in done.stdout
