"""Runs are recognised whatever their search is called, whoever looks, and whichever of our files are missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.gates import DRIVER, Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.users import NOBODY, as_another_user, hidden


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        (made.path / 'link').symlink_to('.')
        yield made


def start(project: Gated, argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command in the folder of a project, whose files everybody may write."""
    return subprocess.Popen(
        argv, cwd=project.path, env=project.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0
    )


def hpsearch(*words: str) -> list[str]:
    """The words of a command of hpsearch with short intervals."""
    return [sys.executable, str(DRIVER), '{}', *words]


def search_words() -> list[str]:
    """The words of a search in the order of the grid, with one run at a time."""
    fixed = ('--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--deterministic_search', '--fail_fast=0')
    return hpsearch(*fixed, '--cpu_jobs=1')


def share(project: Gated) -> None:
    """Let everybody write the search folder."""
    for path in (project.out, *project.out.rglob('*')):
        path.chmod(0o777 if path.is_dir() else 0o666)


# Names of the search folder

NAMES = [('link/out', 'out'), ('out', 'link/out')]


@pytest.mark.parametrize(('first', 'second'), NAMES)
def test_that_nothing_is_run_twice_when_a_search_is_resumed_by_another_name(
    project: Gated, first: str, second: str
) -> None:
    kill(project.begin(2, f'--out_dir={first}'))
    resumed = project.drive({}, 'resume', second)
    until(lambda: len(project.told('adopted')) == 2)
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


@pytest.mark.parametrize(('first', 'second'), NAMES)
def test_that_stop_ends_runs_by_whatever_name_their_search_is_called(project: Gated, first: str, second: str) -> None:
    project.then('setsid sleep 600 &')
    kill(project.begin(2, f'--out_dir={first}'))
    assert 'stopped' in finish(project.drive({}, 'stop', second))
    until(lambda: not project.processes())
    assert project.ends() == {'1': [('interrupted', 'stop')], '2': [('interrupted', 'stop')]}


def test_that_nothing_is_run_twice_when_a_search_is_resumed_through_another_mount(project: Gated) -> None:
    as_another_user()  # skips where nothing can be mounted
    kill(project.begin(2))
    (project.path / 'mounted').mkdir()
    mount = 'mount --bind out mounted && exec "$@"'
    resumed = start(project, ['unshare', '--mount', 'sh', '-c', mount, 'sh', *hpsearch('resume', 'mounted')])
    until(lambda: len(project.told('adopted')) == 2)
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()


def test_that_nothing_is_run_twice_when_a_search_was_moved_and_its_old_name_is_a_link(project: Gated) -> None:
    kill(project.begin(2))
    project.out.rename(project.path / 'moved')
    project.out.symlink_to('moved')
    resumed = project.drive({}, 'resume', 'moved')
    until(lambda: len(project.told('adopted')) == 2)
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()


# Processes that are hidden


def test_that_a_second_user_starts_no_run_that_may_be_under_way(project: Gated) -> None:
    joined = as_another_user(*hpsearch('join', 'out', '--trust'))
    project.path.chmod(0o777)
    search = start(project, search_words())
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    project.open('2', '3')
    kill(search)
    share(project)
    printed = finish(start(project, joined), (1,))
    assert sorted(project.begun()) == project.once()
    assert 'lost' not in printed
    assert project.living(), 'the run of the first user goes on'
    shown = finish(start(project, as_another_user(*hpsearch('status', 'out'))))
    assert '1 of the runs under way may run on this host, where we cannot read the processes' in shown
    assert project.ends()['1'] == [('running', '')]


def test_that_a_dispatcher_whose_process_is_hidden_keeps_its_runs(project: Gated) -> None:
    joined = as_another_user(*hpsearch('join', 'out', '--trust'))
    project.path.chmod(0o777)
    search = start(project, search_words())
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    project.open('2', '3')
    share(project)
    finish(start(project, joined), (1,))
    assert project.told('adopted') == []
    project.open()
    finish(search)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_runs_are_adopted_by_their_own_user_where_those_of_others_are_hidden(project: Gated) -> None:
    search = as_another_user(*search_words())
    os.chown(project.path, NOBODY, NOBODY)
    first = start(project, search)
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    for process in project.told('writer'):
        os.kill(process['pid'], signal.SIGKILL)
    first.communicate(timeout=60)
    resumed = start(project, as_another_user(*hpsearch('resume', 'out')))
    until(lambda: project.told('adopted'))
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_root_sees_its_runs_where_processes_are_hidden(project: Gated) -> None:
    as_another_user()
    kill(project.begin(1))
    project.kill_runs()
    project.open()
    finish(start(project, hidden(*hpsearch('resume', 'out'))))
    assert project.ends()['1'] == [('lost', 'lost'), ('finished', 'exit')]


def test_that_a_second_user_stops_a_search_whose_dispatcher_is_hidden(project: Gated) -> None:
    stop = as_another_user(*hpsearch('stop', 'out', '--trust'))
    project.path.chmod(0o777)
    search = start(project, search_words())
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    share(project)
    assert 'stopped' in finish(start(project, stop))
    finish(search, (130,))
    assert not project.living()


# Files that are missing


def test_that_a_run_whose_start_fence_was_removed_is_not_started_beside_itself(project: Gated) -> None:
    kill(project.begin(2))
    for number in '12':
        (project.job(number, 1) / 'started').unlink()
    resumed = project.drive({}, 'resume', 'out')
    until(lambda: len(project.told('adopted')) == 2)
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_a_run_whose_files_were_removed_is_not_started_beside_itself_and_is_stopped(project: Gated) -> None:
    kill(project.begin(1))
    shutil.rmtree(project.job('1', 1).parent)
    resumed = project.drive({}, 'resume', 'out', '--cpu_jobs=2')
    until(lambda: project.told('adopted'))
    project.open('2', '3')
    until(lambda: {'2', '3'} <= {number for number, _ in project.notes('done.txt')})
    finish(project.drive({}, 'stop', 'out'))
    finish(resumed, (130,))
    assert sorted(project.begun()) == project.once()
    assert not project.living()


def test_that_a_run_that_left_the_session_of_its_shell_is_found_when_that_was_killed(project: Gated) -> None:
    project.write_config(f"_COMMAND = ['setsid', 'sh', {str(project.path / 'train.sh')!r}]")
    kill(project.begin(1))
    (pid,) = project.living()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not project.living())
    resumed = project.drive({}, 'resume', 'out')
    until(lambda: project.told('adopted'))
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()


def test_that_what_a_killed_run_left_behind_counts_as_the_run_until_it_ends(project: Gated) -> None:
    left = project.path / 'left'
    project.then(f'[ $n = 1 ] && [ $HPSEARCH_ATTEMPT = 1 ] && setsid sh -c "echo \\$\\$ > {left}; exec sleep 600" &')
    kill(project.begin(1))
    pid = int(until(lambda: left.exists() and left.read_text().strip()))
    project.kill_runs()
    project.open()
    resumed = project.drive({}, 'resume', 'out', '--cpu_jobs=2')
    until(lambda: {'2', '3'} <= {number for number, _ in project.notes('done.txt')})
    assert ('1', '2') not in project.begun()
    os.kill(pid, signal.SIGKILL)
    finish(resumed)
    assert project.ends()['1'] == [('lost', 'lost'), ('finished', 'exit')]


# Stopping what is just starting


def test_that_a_writer_that_is_just_starting_is_stopped_as_well(project: Gated) -> None:
    kill(project.begin(1))
    project.kill_runs()
    before = project.begun()
    gate = project.path / 'imported'
    code = f'import os, sys, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n'
    code += 'from hpsearch.cli.main import main; sys.exit(main(["resume", "out"]))'
    starting = start(project, [sys.executable, '-c', code])
    until(lambda: b'imported' in Path(f'/proc/{starting.pid}/cmdline').read_bytes())
    finish(project.drive({}, 'stop', 'out'))
    gate.touch()
    assert 'stopped by hpsearch stop' in finish(starting, (130,))
    assert project.begun() == before
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert project.table_states() == project.all_finished()
