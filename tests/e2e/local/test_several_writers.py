"""Several hpsearch at work on one search, on one host and on several, and stopping them from another terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.host.processes import is_alive, start_ticks
from tests.support.gates import Gated, finish, gated, kill, stop_between_two_steps
from tests.support.harness import until

A, B = {'host': 'a'}, {'host': 'b'}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        yield made


def stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal."""
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'T'


def wait_until_stale() -> None:
    """Longer than a writer must be silent in these tests to be stale."""
    time.sleep(1.5)


# On one host


def test_that_two_writers_share_the_runs(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', count=12) as project:
        first = project.begin(2)
        second = project.drive({}, 'join', 'out', '--cpu_jobs=2')
        project.wait_for_begun(4)
        project.open()
        finish(first)
        finish(second, (0, 1))
        assert sorted(project.begun()) == sorted(project.once())
        assert project.table_states() == project.all_finished()
        assert len({attempt.owner for history in project.histories().values() for attempt in history.attempts}) == 2


def test_that_join_leaves_when_nothing_is_left_to_start_and_resume_waits(project: Gated) -> None:
    first = project.begin(3)
    finish(project.drive({}, 'join', 'out'), (1,))
    waiting = project.drive({}, 'resume', 'out')
    until(lambda: len(project.told('writer')) == 3)
    time.sleep(0.5)
    assert waiting.poll() is None
    project.open()
    finish(first)
    finish(waiting)
    assert sorted(project.begun()) == project.once()


def test_that_the_table_has_the_runs_of_all_writers(project: Gated) -> None:
    first = project.begin(1)
    second = project.drive({}, 'resume', 'out')
    project.wait_for_begun(2)
    project.open()
    finish(first)
    assert 'another hpsearch works on this search already' in finish(second)
    assert project.table_states() == project.all_finished()


def test_that_a_search_that_is_at_work_is_not_moved_aside(project: Gated) -> None:
    search = project.begin(1)
    refused = finish(project.search_in_order('--cpu_jobs=1', '--dont_force_new_dir'), (2,))
    assert f'hpsearch stop {project.out}' in refused
    kill(search)
    assert 'hpsearch stop' in finish(project.search_in_order('--cpu_jobs=1', '--dont_force_new_dir'), (2,))
    project.open()
    until(lambda: not project.living())
    finish(project.search_in_order('--cpu_jobs=1', '--dont_force_new_dir'))
    assert len(list(project.out.glob('earlier_*'))) == 1


def test_that_the_runs_of_a_writer_that_was_killed_go_to_the_other(project: Gated) -> None:
    first = project.begin(2)
    second = project.drive({}, 'resume', 'out', '--cpu_jobs=1')
    project.wait_for_begun(3)
    kill(first)
    until(lambda: len(project.told('adopted')) == 2)
    project.open()
    finish(second)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_a_writer_which_is_stopped_on_this_host_keeps_its_runs(project: Gated) -> None:
    search = project.drive_search({}, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    stop_between_two_steps(search, project.out)
    other = project.drive({}, 'resume', 'out')
    project.open('2', '3')
    until(lambda: len(project.notes('done.txt')) == 2)
    wait_until_stale()
    search.send_signal(signal.SIGCONT)
    project.open()
    finish(search)
    finish(other)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_a_writer_which_is_stopped_while_it_places_runs_does_not_block_its_host(project: Gated) -> None:
    search = project.drive_search({'at_spawn': {'1': 'SIGSTOP'}}, '--cpu_jobs=1')
    until(lambda: project.told('claimed') and stopped(search.pid))
    project.open()
    other = project.drive({}, 'resume', 'out')
    try:
        until(lambda: len(project.notes('done.txt')) == 2)
    finally:
        search.send_signal(signal.SIGCONT)
        finish(search)
        finish(other)
    assert sorted(number for number, _ in project.begun()) == project.numbers  # the first by either


# On two hosts


def test_that_two_hosts_share_the_runs(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', count=8) as project:
        first = project.drive_search(A, '--cpu_jobs=2')
        project.wait_for_begun(2)
        second = project.drive(B, 'resume', 'out')
        project.wait_for_begun(4)
        wait_until_stale()
        assert len(project.begun()) == 4
        project.open()
        finish(first)
        finish(second)
        assert sorted(project.begun()) == sorted(project.once())
        assert project.table_states() == project.all_finished()
        assert {header['host'] for header in project.told('writer')} == {'a', 'b'}


def test_that_a_finished_summary_is_enough_where_the_host_of_an_attempt_cannot_be_asked(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    kill(search)
    (running,) = project.told('running')
    os.kill(int(running['handle']['pid']), signal.SIGKILL)  # its sh alone: there will be no exit record
    project.open()
    until(lambda: project.notes('done.txt'))
    finish(project.drive(B, 'resume', 'out'))
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_started_attempts_of_a_dead_host_are_unknown_and_not_run_again(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    kill(search)
    project.open('2', '3')
    printed = finish(project.drive(B, 'resume', 'out'), (1,))
    assert sorted(project.begun()) == project.once()
    assert 'may still be running where that cannot be checked' in printed
    assert '--host_is_dead' in printed
    project.open()
    until(lambda: len(project.notes('done.txt')) == 3)
    finish(project.drive(B, 'resume', 'out'))
    assert sorted(project.begun()) == project.once(), 'its record appeared'
    assert project.table_states() == project.all_finished()


def test_that_a_host_that_comes_back_takes_its_attempts_up(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    kill(search)
    project.open('2', '3')
    finish(project.drive(B, 'resume', 'out'), (1,))
    resumed = project.drive(A, 'resume', 'out')
    until(lambda: project.told('adopted'))
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_host_is_dead_frees_what_was_started_there(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=2')
    project.wait_for_begun(2)
    until(lambda: len(project.told('running')) == 2)
    kill(search)
    project.kill_runs()
    project.open()
    finish(project.drive(B, 'resume', 'out', '--host_is_dead=a'))
    assert project.table_states() == project.all_finished()
    assert project.ends()['1'] == [('interrupted', 'host_dead'), ('finished', 'exit')]
    assert project.notes('found.txt') == []


def test_that_claims_of_a_dead_host_that_were_not_started_are_freed(project: Gated) -> None:
    search = project.drive_search({**A, 'at_spawn': {'1': 'SIGKILL'}}, '--cpu_jobs=2')
    search.communicate(timeout=60)
    project.open()
    finish(project.drive(B, 'resume', 'out'))
    assert project.table_states() == project.all_finished()
    assert project.ends()['1'] == [('interrupted', 'abandoned'), ('finished', 'exit')]
    assert sorted(project.begun()) == [('1', '2'), ('2', '1'), ('3', '1')]


def test_that_a_writer_which_wakes_up_starts_nothing_it_no_longer_owns(project: Gated) -> None:
    search = project.drive_search({**A, 'at_spawn': {'1': 'SIGSTOP'}}, '--cpu_jobs=2')
    until(lambda: project.told('claimed') and stopped(search.pid))
    project.open()
    finish(project.drive(B, 'resume', 'out'))
    begun = sorted(project.begun())
    assert begun == [('1', '2'), ('2', '1'), ('3', '1')]
    table = (project.out / 'search_results.csv').read_text()
    search.send_signal(signal.SIGCONT)
    finish(search)
    assert sorted(project.begun()) == begun
    assert project.table_states() == project.all_finished()
    assert (project.out / 'search_results.csv').read_text() == table
    assert [state for state, _ in project.ends()['1']] == ['interrupted', 'finished']


def test_that_attempts_go_on_while_their_writer_is_stopped_and_seems_dead(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    stop_between_two_steps(search, project.out)
    project.open('2', '3')
    finish(project.drive(B, 'resume', 'out'), (1,))
    assert sorted(project.begun()) == project.once()
    search.send_signal(signal.SIGCONT)
    project.open()
    finish(search)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_an_end_taken_in_by_another_host_is_not_reported_twice(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    stop_between_two_steps(search, project.out)
    project.open()
    until((project.job('1', 1) / 'exit').exists)
    finish(project.drive(B, 'resume', 'out'))
    assert project.table_states() == project.all_finished()
    search.send_signal(signal.SIGCONT)
    finish(search)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_an_observer_who_was_asleep_itself_declares_nobody_stale(project: Gated) -> None:
    search = project.drive_search({**A, 'at_spawn': {'1': 'SIGSTOP'}}, '--cpu_jobs=1')
    until(lambda: project.told('claimed') and stopped(search.pid))
    other = project.drive(B, 'resume', 'out')
    project.wait_for_begun(1)
    other.send_signal(signal.SIGSTOP)
    time.sleep(3.0)
    other.send_signal(signal.SIGCONT)
    search.send_signal(signal.SIGCONT)
    project.open()
    finish(search)
    finish(other)
    assert sorted(project.begun()) == project.once()


# Stopping


def test_that_stop_ends_the_search_of_another_terminal(project: Gated) -> None:
    search = project.begin(2)
    printed = finish(project.drive({}, 'stop', 'out'))
    finish(search, (130,))
    assert 'stopped' in printed
    assert not project.living()
    assert project.ends() == {'1': [('interrupted', 'stop')], '2': [('interrupted', 'stop')]}


def test_that_a_stop_is_obeyed_once(project: Gated) -> None:
    search = project.begin(2)
    finish(project.drive({}, 'stop', 'out'))
    finish(search, (130,))
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert project.table_states() == project.all_finished()


def test_that_stop_with_drain_lets_runs_end_and_starts_no_more(project: Gated) -> None:
    search = project.begin(2)
    stop = project.drive({}, 'stop', 'out', '--drain')
    until(lambda: project.told('draining'))
    project.open()
    finish(search, (130,))
    assert 'drained' in finish(stop)
    assert project.ends() == {'1': [('finished', 'exit')], '2': [('finished', 'exit')]}
    assert sorted(project.begun()) == [('1', '1'), ('2', '1')]


def test_that_a_stop_after_a_drain_ends_the_runs(project: Gated) -> None:
    search = project.begin(2)
    drain = project.drive({}, 'stop', 'out', '--drain')
    until(lambda: project.told('draining'))
    finish(project.drive({}, 'stop', 'out'))
    finish(search, (130,))
    finish(drain)
    assert project.ends() == {'1': [('interrupted', 'stop')], '2': [('interrupted', 'stop')]}


def test_that_stop_ends_all_writers_of_a_search(project: Gated) -> None:
    first = project.begin(1)
    second = project.drive({}, 'resume', 'out')
    project.wait_for_begun(2)
    finish(project.drive({}, 'stop', 'out'))
    finish(first, (130,))
    finish(second, (130,))
    assert not project.living()


@pytest.mark.parametrize('is_told', [True, False])
def test_that_a_run_which_its_job_ends_before_us_has_not_failed(project: Gated, is_told: bool) -> None:
    """A queue sends TERM to all processes of a job, in any order."""
    project.env.update(SLURM_JOB_ID='7', SLURMD_NODENAME='n1')
    search = project.begin(2)
    for pid in project.living():
        os.killpg(pid, signal.SIGTERM)
    time.sleep(0.5)
    project.open('3')
    if is_told:
        search.send_signal(signal.SIGTERM)
    finish(search, (130,) if is_told else (1,))
    end = ('interrupted', 'stop') if is_told else ('failed', 'exit')
    assert [project.ends()[number] for number in '12'] == [[end]] * 2


def test_that_stop_reaches_a_writer_on_another_host(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=2')
    project.wait_for_begun(2)
    assert 'another host' in finish(project.drive(B, 'stop', 'out'))
    finish(search, (130,))
    assert not project.living()


def test_that_stop_ends_the_runs_itself_when_no_hpsearch_is_alive(project: Gated) -> None:
    kill(project.begin(2))
    assert len(project.living()) == 2
    finish(project.drive({}, 'stop', 'out'))
    assert not project.living()
    assert project.ends() == {'1': [('interrupted', 'stop')], '2': [('interrupted', 'stop')]}
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert project.table_states() == project.all_finished()


def test_that_stop_with_drain_leaves_runs_alone_when_no_hpsearch_is_alive(project: Gated) -> None:
    kill(project.begin(2))
    before = project.living()
    finish(project.drive({}, 'stop', 'out', '--drain'))
    assert project.living() == before


def test_that_stop_names_what_it_cannot_reach(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    kill(search)
    before = project.living()
    printed = finish(project.drive(B, 'stop', 'out'), (0, 1))
    assert project.living() == before
    assert 'host' in printed


def test_that_stop_of_an_ended_search_says_that_nothing_runs(project: Gated) -> None:
    project.open()
    finish(project.search_in_order('--cpu_jobs=3'))
    assert 'nothing runs' in finish(project.drive({}, 'stop', 'out'))


@pytest.mark.parametrize('way', ['ctrl-c', 'stop', 'stop after kill -9'])
def test_that_all_descendants_of_a_run_are_stopped_and_nobody_else_is(project: Gated, way: str) -> None:
    project.then('setsid sleep 600 & sleep 600 & (setsid sleep 600 &) ; echo $! > child.txt')
    others = [
        subprocess.Popen(['sleep', '600'], env=environment, start_new_session=True)
        for environment in (
            {'PATH': os.environ['PATH']},
            {'PATH': os.environ['PATH'], 'HPSEARCH_DIR': str(project.path / 'another'), 'HPSEARCH_RUN': 'sim_1_1'},
            {'PATH': os.environ['PATH'], 'HPSEARCH_RUN': 'sim_1_1', 'HPSEARCH_ATTEMPT': '1'},
        )
    ]
    try:
        search = project.begin(1)
        mine = until(lambda: descendants(project))
        assert len(mine) >= 3
        end_it(project, search, way)
        until(lambda: not any(is_alive(pid, ticks) for pid, ticks in mine.items()))
        assert [other.poll() for other in others] == [None] * 3
    finally:
        for other in others:
            other.kill()
            other.wait()


def descendants(project: Gated) -> dict[int, str]:
    """The sleeping processes of the runs, with their start ticks; empty before all are there."""
    mark = f'HPSEARCH_DIR={project.out}\0'.encode()
    found = {}
    for entry in Path('/proc').iterdir():
        try:
            is_marked = entry.name.isdigit() and mark in (entry / 'environ').read_bytes()
            if is_marked and (entry / 'cmdline').read_bytes() == b'sleep\x00600\x00':
                found[int(entry.name)] = start_ticks(int(entry.name))
        except OSError:
            continue
    return found if len(found) == 3 else {}


def end_it(project: Gated, search: subprocess.Popen[str], way: str) -> None:
    """End a search in one of several ways."""
    if way == 'ctrl-c':
        search.send_signal(signal.SIGINT)
        finish(search, (130,))
    elif way == 'stop':
        finish(project.drive({}, 'stop', 'out'))
        finish(search, (130,))
    else:
        kill(search)
        finish(project.drive({}, 'stop', 'out'))


def test_that_status_tells_of_unknown_runs(project: Gated) -> None:
    search = project.drive_search(A, '--cpu_jobs=1')
    project.wait_for_begun(1)
    until(lambda: project.told('running'))
    kill(search)
    project.open('2', '3')
    finish(project.drive(B, 'resume', 'out'), (1,))
    told = json.loads(finish(project.drive(B, 'status', 'out', '--json')))
    assert told['counts'].get('finished') == 2
    shown = finish(project.drive(B, 'status', 'out'))
    assert '1 of the runs under way is on a, which cannot be asked' in shown
    assert '--host_is_dead' in shown
