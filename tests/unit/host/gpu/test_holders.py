"""Whose the processes on a GPU are, with real processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from hpsearch.host.gpu.holders import Holders
from hpsearch.host.processes import user_name
from hpsearch.model.resources import GpuProcess, OtherStart
from hpsearch.model.usage.holders import GpuHolder, HolderKind
from tests.support.harness import until
from tests.support.users import NOBODY

ME = user_name(os.geteuid())


@contextmanager
def sleeping(*before: str, **variables: str) -> Iterator[int]:
    """A process; gives its pid."""
    with subprocess.Popen([*before, 'sleep', '60'], env={**os.environ, **variables}, start_new_session=True) as process:
        yield process.pid
        process.kill()


def holder_of(pid: int, *others: OtherStart, search: str = '') -> GpuHolder | None:
    holders = Holders()
    holders.search = search
    found = holders.of([GpuProcess(pid, 900)], lambda pid: None, others)
    return found[0] if found else None


def test_that_a_process_is_named_with_its_user_and_its_command() -> None:
    with sleeping() as pid:
        found = holder_of(pid)
    assert found == GpuHolder(HolderKind.PROCESS, pid, 'sleep', ME, 900, is_stranger=True)
    assert found.text == f'{ME}, pid {pid}, sleep, 900 MiB'


def test_that_a_run_of_another_search_of_this_user_is_no_stranger() -> None:
    with sleeping(HPSEARCH_RUN='sim_4', HPSEARCH_DIR_ID='1-2') as pid:
        other, same = holder_of(pid, search='1-3'), holder_of(pid, search='1-2')
    assert other == GpuHolder(HolderKind.HPSEARCH, pid, 'sim_4', ME, 900)
    assert other.text == f'another hpsearch of {ME}, sim_4, pid {pid}, 900 MiB'
    assert same == GpuHolder(HolderKind.RUN, pid, 'sim_4', ME, 900)


def test_that_our_runs_are_named_and_processes_that_are_not_here_are_not() -> None:
    found = Holders().of([GpuProcess(os.getpid(), 5), GpuProcess(2**22 + 5, 7)], {os.getpid(): 'sim_1'}.get)
    assert [each.text for each in found] == ['sim_1, 5 MiB']


def test_that_somebody_elses_process_is_a_stranger_also_where_it_is_a_run() -> None:
    if os.geteuid() != 0:
        pytest.skip('it takes root to start a process of somebody else')
    become = ('setpriv', '--reuid', str(NOBODY), '--clear-groups')
    with sleeping(*become, HPSEARCH_RUN='sim_4') as pid:
        until(lambda: psutil.Process(pid).uids().real == NOBODY)
        start = OtherStart(('GPU-x',), 0.0, 60.0, 'user nobody', pid=pid)
        found = [holder_of(pid), holder_of(pid, start)]
    assert {each.is_stranger for each in found if each} == {True}
    assert found[1] is not None
    assert found[1].kind is HolderKind.HPSEARCH
