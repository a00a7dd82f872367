"""Processes of this host; real ones."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hpsearch.host import processes
from hpsearch.host.processes import (
    NOT_OURS,
    group_is_alive,
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
from tests.support.harness import PATIENCE, until

NOBODY = 2**22 + 1
"""More than any pid of Linux."""


def test_that_marked_processes_needs_every_mark() -> None:
    with subprocess.Popen(['sleep', '600'], env={**os.environ, 'HPSEARCH_DIR': 'a', 'HPSEARCH_RUN': 'b'}) as process:
        until(lambda: process.pid in marked_processes({'HPSEARCH_DIR': 'a'}))
        assert marked_processes({'HPSEARCH_DIR': 'a', 'HPSEARCH_RUN': 'b'})[process.pid]['HPSEARCH_RUN'] == 'b'
        assert process.pid not in marked_processes({'HPSEARCH_DIR': 'a', 'HPSEARCH_RUN': 'c'})
        process.kill()


def test_that_the_start_of_a_process_is_told_only_with_its_marks() -> None:
    with subprocess.Popen(['sleep', '600'], env={**os.environ, 'HPSEARCH_DIR': 'a'}) as process:
        until(lambda: ticks_if_marked(process.pid, {'HPSEARCH_DIR': 'a'}) == start_ticks(process.pid) != '')
        assert ticks_if_marked(process.pid, {'HPSEARCH_DIR': 'b'}) == ''
        process.kill()
    assert ticks_if_marked(process.pid, {'HPSEARCH_DIR': 'a'}) == ''


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


def test_that_what_is_gone_is_no_error() -> None:
    assert start_ticks(NOBODY) == ''
    assert not group_is_alive(NOBODY)
    signal_group(NOBODY, signal.SIGTERM)
    signal_processes([NOBODY], signal.SIGTERM)
    assert reap(NOBODY) == NOT_OURS


def test_that_a_process_starts_in_a_session_of_its_own_and_writes_into_files(tmp_path: Path) -> None:
    out, err = tmp_path / 'out', tmp_path / 'err'
    out.write_text('before ')
    code = 'import os, sys; print(os.getsid(0) == os.getpid(), os.environ["A"], sys.stdin.read()); sys.exit(3)'
    pid = spawn((sys.executable, '-c', code), {b'A': b'1'}, str(out), str(err))
    assert until(lambda: reap(pid)) == 3
    assert (out.read_text(), err.read_text()) == ('before True 1 \n', '')


def test_that_a_signal_is_a_negative_status(tmp_path: Path) -> None:
    log = str(tmp_path / 'log')
    pid = spawn(('/bin/sh', '-c', 'kill -9 $$'), os.environb, log, log)
    assert until(lambda: reap(pid)) == -signal.SIGKILL


def test_that_a_process_which_runs_has_no_status_and_one_of_others_no_known_one() -> None:
    with subprocess.Popen(['sleep', '600']) as process:
        assert reap(process.pid) is None
        process.kill()
    assert reap(os.getppid()) == NOT_OURS


def test_that_a_log_which_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='No such file'):
        spawn(('/bin/sh', '-c', ':'), os.environb, str(tmp_path / 'no/log'), os.devnull)


def test_that_a_user_without_a_name_is_a_number() -> None:
    assert user_name(os.getuid())
    assert user_name(2**31 - 7) == str(2**31 - 7)


@pytest.mark.skipif(not hasattr(os, 'pidfd_open'), reason='this system has no pidfd_open')
def test_that_a_descriptor_becomes_readable_when_the_process_ends() -> None:
    with subprocess.Popen(['sleep', '600']) as process:
        descriptor = open_pidfd(process.pid)
        assert descriptor is not None
        assert select.select([descriptor], [], [], 0)[0] == []
        process.kill()
        assert select.select([descriptor], [], [], PATIENCE)[0] == [descriptor]
        os.close(descriptor)
    assert open_pidfd(NOBODY) is None
