"""Processes of this host: real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hpsearch.host import processes
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import (
    NOT_OURS,
    Process,
    Reaped,
    group_of,
    has_group,
    is_alive,
    kill_group_of,
    marked_processes,
    open_pidfd,
    presence,
    reap,
    send_signal,
    sessions,
    spawn,
    start_ticks,
    ticks_now,
    user_name,
)
from hpsearch.model.evidence import ProcessState
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.users import as_another_user

GONE = 2**22 + 1
"""More than the highest pid."""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, with a mark in its environment."""
    environment = {**os.environ, 'HPSEARCH_DIR': str(tmp_path), 'HPSEARCH_RUN': 'sim_1'}
    with subprocess.Popen(['sleep', '600'], env=environment, start_new_session=True) as child:
        yield child
        child.kill()


def status_of(pid: int) -> int:
    """The status of a child, once it has ended."""
    ended: list[int] = []

    def look() -> bool:
        status = reap(pid)
        ended.extend([] if status is None else [status.code])
        return bool(ended)

    until(look)
    return ended[0]


# Starting and ending


@pytest.mark.parametrize(('code', 'status'), [('exit 0', 0), ('exit 7', 7), ('kill -9 $$', -9)])
def test_that_the_status_of_a_process_is_its_exit_code_or_its_signal(tmp_path: Path, code: str, status: int) -> None:
    log = str(tmp_path / 'log')
    assert status_of(spawn(('/bin/sh', '-c', code), os.environb, log, log)) == status


def test_that_a_process_appends_to_its_logs_reads_nothing_and_leads_a_session(tmp_path: Path) -> None:
    out, err = tmp_path / 'out', tmp_path / 'err'
    out.write_text('earlier\n')
    code = 'cat; echo $WORD; echo problem >&2; ps -o sid= -p $$'
    pid = spawn(('/bin/sh', '-c', code), {b'WORD': b'a word', b'PATH': os.environb[b'PATH']}, str(out), str(err))
    assert status_of(pid) == 0
    assert out.read_text().split('\n')[:2] == ['earlier', 'a word']
    assert int(out.read_text().split()[-1]) == pid
    assert err.read_text() == 'problem\n'


def test_that_a_log_which_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='No such file'):
        spawn(('/bin/sh', '-c', ':'), os.environb, str(tmp_path / 'no/log'), os.devnull)


def test_that_a_process_that_runs_has_no_status_yet(child: subprocess.Popen[bytes]) -> None:
    assert reap(child.pid) is None


def test_that_the_status_of_a_process_which_is_no_child_is_not_known() -> None:
    assert reap(os.getppid()) == Reaped(NOT_OURS)


# Who it is


def test_that_a_process_is_alive_under_its_start_time_only(child: subprocess.Popen[bytes]) -> None:
    ticks = start_ticks(child.pid)
    assert is_alive(child.pid, ticks)
    assert not is_alive(child.pid, '1')
    assert not is_alive(child.pid, '')


def test_that_a_zombie_is_gone(child: subprocess.Popen[bytes]) -> None:
    ticks = start_ticks(child.pid)
    child.kill()
    until(lambda: not is_alive(child.pid, ticks))
    assert start_ticks(child.pid) == ''
    assert start_ticks(GONE) == ''


def test_that_processes_are_known_without_proc(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, 'HAS_PROC', False)
    ticks = start_ticks(child.pid)
    assert is_alive(child.pid, ticks)
    assert start_ticks(GONE) == ''
    assert marked_processes()[Process(child.pid, ticks)]['HPSEARCH_DIR'] == str(tmp_path)
    assert sessions()[child.pid] == [Process(child.pid, ticks)]
    assert Process(child.pid, ticks).started < ticks_now()


def test_that_one_boot_of_a_host_is_the_same_to_every_process() -> None:
    code = 'from hpsearch.host.kernel import this_host; print(this_host())'
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(this_host())


def test_that_a_user_without_a_name_is_a_number() -> None:
    assert user_name(os.getuid())
    assert user_name(2**31 - 7) == str(2**31 - 7)


def known(pid: int) -> Process:
    """A process that runs."""
    return Process(pid, start_ticks(pid))


# Those that cannot be seen


def test_that_a_process_hidden_from_us_is_unknown_and_one_that_ended_is_gone(child: subprocess.Popen[bytes]) -> None:
    code = """
import os, sys
from hpsearch.host.processes import can_read_processes_of, presence, start_ticks, user_name
pid, ticks, gone = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print(repr(start_ticks(pid)), presence(pid, ticks).value, presence(gone, '5').value)
print(presence(os.getpid(), start_ticks(os.getpid())).value, can_read_processes_of(user_name(0)))
"""
    words = (sys.executable, '-c', code, str(child.pid), start_ticks(child.pid), str(GONE))
    found = subprocess.run(as_another_user(*words), check=True, capture_output=True, text=True, cwd=REPOSITORY)
    assert found.stdout.split() == ["''", 'unknown', 'gone', 'alive', 'False']


def test_that_only_who_may_read_environments_can_tell_that_a_process_of_another_user_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = user_name(os.geteuid())
    for capabilities, is_possible in (('0000000000080000', True), ('00000000a80425fb', False)):
        status = f'Name:\tx\nCapEff:\t{capabilities}\n'
        monkeypatch.setattr(processes, 'text_of', lambda path, status=status: status)
        assert processes.can_read_processes_of('somebody else') is is_possible, 'root of a container may not'
        assert processes.can_read_processes_of(own)


# Marks


def test_that_a_process_is_found_with_its_marks(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith('HPSEARCH_')}
    until(lambda: known(child.pid) in marked_processes())
    assert marked_processes()[known(child.pid)] == {**own, 'HPSEARCH_DIR': str(tmp_path), 'HPSEARCH_RUN': 'sim_1'}


def test_that_we_are_none_of_the_marked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.getpid() not in {process.pid for process in marked_processes()}


# Groups, sessions and signals


def test_that_a_session_has_its_living_processes(tmp_path: Path) -> None:
    code = '(sleep 600 & echo $! > child); sleep 600'
    with subprocess.Popen(['sh', '-c', code], cwd=tmp_path, start_new_session=True) as leader:
        pid = int(until(lambda: (tmp_path / 'child').exists() and (tmp_path / 'child').read_text().strip()))
        assert {leader.pid, pid} <= {process.pid for process in sessions()[leader.pid]}
        kill_group_of(leader)
        until(lambda: leader.pid not in sessions())
        assert has_group(leader.pid), 'its zombie'
    until(lambda: not has_group(leader.pid))
    assert group_of(leader.pid) is None


def test_that_a_signal_reaches_the_process_that_is_meant_and_no_other_with_its_pid(
    child: subprocess.Popen[bytes],
) -> None:
    for other in (Process(child.pid, '1'), Process(child.pid, ''), Process(GONE, '1')):
        send_signal(other, signal.SIGKILL)
    assert child.poll() is None
    send_signal(known(child.pid), signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM
    send_signal(Process(child.pid, '1'), signal.SIGTERM)


def test_that_a_signal_goes_through_the_descriptor_of_the_process_that_was_verified(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, 'pidfd_open'):
        pytest.skip('this system has no pidfd_open')
    sent: list[int] = []
    monkeypatch.setattr(os, 'kill', lambda pid, number: sent.append(pid))
    send_signal(known(child.pid), signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM and sent == []
    monkeypatch.delattr(os, 'pidfd_open')
    send_signal(known(os.getpid()), signal.SIGCONT)
    assert sent == [os.getpid()]


def test_that_the_group_of_a_child_that_was_waited_for_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, 'killpg', lambda group, number: killed.append(group))
    with subprocess.Popen(['true'], start_new_session=True) as ended:
        ended.wait(30)
    kill_group_of(ended)
    assert killed == []


def test_that_a_descriptor_tells_of_the_end_of_a_process(child: subprocess.Popen[bytes]) -> None:
    descriptor = open_pidfd(child.pid)
    if descriptor is None:
        pytest.skip('this system has no pidfd_open')
    try:
        assert os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        child.kill()
        ended = os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_status == signal.SIGKILL
    finally:
        os.close(descriptor)
    assert open_pidfd(GONE) is None


@pytest.mark.parametrize('has_proc', [True, False])
def test_that_a_process_is_alive_until_it_has_ended_even_unreaped(
    monkeypatch: pytest.MonkeyPatch, has_proc: bool
) -> None:
    monkeypatch.setattr(processes, 'HAS_PROC', has_proc)
    with subprocess.Popen(['sleep', '600'], start_new_session=True) as process:
        ticks = start_ticks(process.pid)
        assert is_alive(process.pid, ticks)
        assert not is_alive(process.pid, 'other ticks') and not is_alive(process.pid, '')
        send_signal(Process(process.pid, ticks), signal.SIGKILL)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert presence(process.pid, ticks) is ProcessState.GONE
    assert presence(process.pid, ticks) is ProcessState.GONE


def test_that_the_ticks_of_a_process_are_those_of_the_kernel() -> None:
    boot, ticks = psutil.boot_time(), int(start_ticks(os.getpid()))
    started = psutil.Process().create_time() - boot
    assert ticks / os.sysconf('SC_CLK_TCK') == pytest.approx(started, abs=2)
