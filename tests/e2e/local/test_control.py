"""Single runs are cancelled and run again, and a search is paused, from another terminal, and after it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project', count=4) as made:
        yield made


def hpsearch(project: Gated, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """What another terminal sees of a command."""
    done = project.run(*words)
    assert done.returncode in codes, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    return done.stdout + done.stderr


def test_that_runs_are_cancelled_while_the_search_goes_on_and_run_again_when_it_is_resumed(project: Gated) -> None:
    search = project.begin(2)
    said = hpsearch(project, 'cancel', 'out', '1', '4')
    assert f'{project.run_name("1")} is ended' in said and 'takes this up' in said
    assert f'{project.run_name("4")} is cancelled before it was started' in said
    until(lambda: project.ends()['1'] == [('interrupted', 'cancelled')])
    project.open()
    printed = finish(search, (1,))
    assert '2 runs were cancelled by hpsearch cancel' in printed
    assert '2 finished, 2 interrupted of 4 runs' in printed
    assert project.begun() == [(number, '1') for number in ('1', '2', '3')]
    assert hpsearch(project, 'list', 'out', '--where', 'state=interrupted').count('cancel') >= 2

    assert f'hpsearch resume {project.out} takes this up' in hpsearch(
        project, 'rerun', 'out', '--where', 'state=interrupted'
    )
    assert '4 finished of 4 runs' in hpsearch(project, 'resume', 'out')
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('3', '1'), ('4', '1')]


def test_that_what_runs_without_a_dispatcher_is_ended_from_here_and_nothing_else_is(project: Gated) -> None:
    kill(project.begin(2))
    said = hpsearch(project, 'cancel', 'out', '--where', 'n=1 or n=3')
    assert 'no hpsearch works on it: ending 1 run from here\nended\n' in said
    assert len(project.living()) == 1, 'the other one goes on'
    assert project.ends() == {
        '1': [('interrupted', 'cancelled')], '2': [('running', '')], '3': []
    }  # fmt: skip
    assert '2 runs were cancelled by hpsearch cancel' in hpsearch(project, 'status', 'out')
    project.open()
    assert '4 finished of 4 runs' in hpsearch(project, 'resume', 'out', '--retry_cancelled')


def test_that_a_request_holds_although_the_dispatcher_was_killed_right_after_it(project: Gated) -> None:
    project.then('trap "" TERM')
    search = project.begin(2, '--stop_grace=60')
    hpsearch(project, 'cancel', 'out', '2', '3')
    kill(search)
    project.then('')
    resumed = project.drive({}, 'resume', 'out', '--stop_grace=1')
    until(lambda: project.ends()['2'] == [('interrupted', 'cancelled')])
    project.open()
    finish(resumed, (1,))
    assert project.ends() == {
        '1': [('finished', 'exit')], '2': [('interrupted', 'cancelled')], '3': [], '4': [('finished', 'exit')]
    }  # fmt: skip


def test_that_a_paused_search_starts_nothing_says_why_and_goes_on(project: Gated) -> None:
    search = project.begin(1)
    assert f'to go on: hpsearch pause --off {project.out}' in hpsearch(project, 'pause', 'out')
    project.open('1')
    until(lambda: project.ends()['1'] == [('finished', 'exit')])
    assert 'paused by hpsearch pause' in hpsearch(project, 'status', 'out')
    kill(search)
    project.open()
    assert project.begun() == [('1', '1')]
    assert 'the search was paused: runs are started again' in hpsearch(project, 'resume', 'out')
    assert project.begun() == project.once()
