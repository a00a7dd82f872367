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
    group_is_alive,
    group_of,
    is_alive,
    marked_processes,
    open_pidfd,
    reap,
    signal_group,
    signal_processes,
    spawn,
    start_ticks,
    ticks_if_marked,
    user_name,
)
from tests.support.harness import until

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
        ended.extend([] if status is None else [status])
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
    assert reap(os.getppid()) == NOT_OURS


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
    assert marked_processes({'HPSEARCH_DIR': str(tmp_path)}).keys() == {child.pid}
    assert group_is_alive(child.pid)


def test_that_one_boot_of_a_host_is_the_same_to_every_process() -> None:
    code = 'from hpsearch.host.kernel import this_host; print(this_host())'
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(this_host())


def test_that_a_user_without_a_name_is_a_number() -> None:
    assert user_name(os.getuid())
    assert user_name(2**31 - 7) == str(2**31 - 7)


# Marks


def test_that_a_process_is_found_by_all_of_its_marks(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    wanted = {'HPSEARCH_DIR': str(tmp_path)}
    own = {name: value for name, value in os.environ.items() if name.startswith('HPSEARCH_')}
    assert marked_processes(wanted) == {child.pid: {**own, 'HPSEARCH_RUN': 'sim_1', **wanted}}
    assert marked_processes({**wanted, 'HPSEARCH_RUN': 'sim_2'}) == {}
    assert ticks_if_marked(child.pid, wanted) == start_ticks(child.pid)
    assert ticks_if_marked(child.pid, {**wanted, 'HPSEARCH_RUN': 'sim_2'}) == ''
    assert ticks_if_marked(GONE, wanted) == ''


def test_that_we_are_none_of_the_marked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.getpid() not in marked_processes({})


# Groups and signals


def test_that_a_group_is_alive_until_its_last_process_is_a_zombie(child: subprocess.Popen[bytes]) -> None:
    assert group_of(child.pid) == child.pid
    assert group_is_alive(child.pid)
    signal_group(child.pid, signal.SIGKILL)
    until(lambda: not group_is_alive(child.pid))
    assert child.wait(30) == -signal.SIGKILL
    assert not group_is_alive(child.pid)
    assert group_of(child.pid) is None


def test_that_signals_to_what_is_gone_do_nothing_and_reach_the_others(child: subprocess.Popen[bytes]) -> None:
    signal_group(GONE, signal.SIGTERM)
    signal_processes([GONE, child.pid], signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM


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
        assert is_alive(process.pid, ticks) and group_is_alive(process.pid)
        assert not is_alive(process.pid, 'other ticks') and not is_alive(process.pid, '')
        signal_group(process.pid, signal.SIGKILL)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert not is_alive(process.pid, ticks) and not group_is_alive(process.pid)
    assert not is_alive(process.pid, ticks)


def test_that_the_ticks_of_a_process_are_those_of_the_kernel() -> None:
    boot, ticks = psutil.boot_time(), int(start_ticks(os.getpid()))
    started = psutil.Process().create_time() - boot
    assert ticks / os.sysconf('SC_CLK_TCK') == pytest.approx(started, abs=2)
