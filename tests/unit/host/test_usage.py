"""What real processes use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.host import usage
from hpsearch.host.processes import HAS_PROC, reap, spawn
from hpsearch.host.usage import shared_once, uses_of
from tests.support.harness import until

GREEDY = """
import os, subprocess, sys, time
data = bytearray(b'x' * (200 << 20))
for child in range(2):
    if os.fork() == 0:
        break
else:
    subprocess.Popen([sys.executable, '-c', 'import time; print("ready", flush=True); time.sleep(600)'],
                     start_new_session=True)
time.sleep(600)
"""


@pytest.fixture
def greedy() -> Iterator[int]:
    """A process with 200 MiB, two forks of it that share them, and a child in a session of its own."""
    with subprocess.Popen([sys.executable, '-c', GREEDY], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        for pid in uses_of([process.pid])[process.pid].pids:
            os.kill(pid, 9)


def test_that_children_count_even_in_a_session_of_their_own(greedy: int) -> None:
    use = uses_of([greedy, os.getpid()])[greedy]
    assert len(use.pids) == 4
    assert greedy in use.pids
    assert sum(size >= 200 for size in use.resident) == 3


@pytest.mark.skipif(not HAS_PROC, reason='the kernel tells it in /proc')
def test_that_pages_that_are_shared_count_once(greedy: int) -> None:
    once = shared_once(uses_of([greedy])[greedy].pids)
    assert once is not None
    assert 200 <= once < 400


def test_that_psutil_tells_the_same_where_there_is_no_proc(greedy: int) -> None:
    use = usage.uses_by_psutil([greedy, 2**30])[greedy]
    assert set(use.pids) == set(uses_of([greedy])[greedy].pids)
    assert sum(size >= 200 for size in use.resident) == 3


def test_that_there_is_nothing_of_a_process_that_is_gone() -> None:
    assert uses_of([2**30]) == {}
    assert shared_once([2**30]) is None


def test_that_processors_are_counted_with_children_that_have_ended(tmp_path: Path) -> None:
    code = (
        f'import subprocess, sys, time\nsubprocess.run([sys.executable, "-c", {_BUSY!r}])\nprint("ready", flush=True)'
    )
    words = [sys.executable, '-c', f'{code}\ntime.sleep(600)']
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert uses_of([process.pid])[process.pid].cpu_seconds >= 0.3
        process.kill()


_BUSY = 'import time\nwhile time.process_time() < 0.4: pass'


def test_that_a_child_that_was_waited_for_tells_what_it_and_its_children_have_used(tmp_path: Path) -> None:
    log = str(tmp_path / 'log')
    ours = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024 if HAS_PROC else 0
    code = f'{_BUSY}; data = b"x" * ({ours + 100} << 20)'.replace('; data', '\ndata')
    pid = spawn(('/bin/sh', '-c', f"{sys.executable} -c '{code}'; exit 0"), os.environb, log, log)
    ended = until(lambda: reap(pid))
    assert ended is not None
    assert ended.cpu_seconds is not None
    assert ended.cpu_seconds >= 0.3
    assert ended.largest is not None
    assert ended.largest >= ours + 100


def test_that_the_memory_of_a_small_child_is_not_taken_for_ours(tmp_path: Path) -> None:
    log = str(tmp_path / 'log')
    data = bytearray(b'x' * (100 << 20))
    pid = spawn(('/bin/sh', '-c', 'exit 0'), os.environb, log, log)
    ended = until(lambda: reap(pid))
    assert ended is not None
    assert ended.largest is None
    del data
