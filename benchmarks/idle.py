"""What the dispatcher costs while its runs are at work: processor time of its own process."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

from benchmarks.searches import Search, make_search
from benchmarks.tools import Line, Place, hpsearch

SETTLED = 4.0
"""Seconds after which the start is over."""

WATCHED = 20.0


def idle(place: Place, rounds: int) -> Iterator[Line]:
    """8 long runs, watched for 20 s without a terminal and with one."""
    del rounds
    for what, on_terminal in (('no terminal', False), ('live view on a terminal', True)):
        here = place.below(what.replace(' ', '_'))
        search = make_search(here, {'n': list(range(8))}, ['/bin/sh', '-c', 'exec sleep 600', 'run'])
        share = watched(search, on_terminal=on_terminal)
        yield Line(f'dispatcher idle, 8 runs of `sleep`, {what}', f'{100 * share:.2f} % of a core', target='< 1 %')


def watched(search: Search, *, on_terminal: bool) -> float:
    """The share of a core that the dispatcher of a search takes."""
    argv = hpsearch(f'--grid_module={search.module}', '--cpu_jobs=8', '--stop_grace=2')
    process = _on_terminal(search.place, argv) if on_terminal else search.place.start(argv)
    try:
        time.sleep(SETTLED)
        begin, before = time.monotonic(), _cpu(process.pid)
        time.sleep(WATCHED)
        return (_cpu(process.pid) - before) / (time.monotonic() - begin)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _cpu(pid: int) -> float:
    """Processor time of the process itself, without the runs it has waited for."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _on_terminal(place: Place, argv: list[str]) -> subprocess.Popen[bytes]:
    """Start it on a terminal of its own, whose output is read and forgotten."""
    ours, theirs = pty.openpty()
    environment = {**place.environment, 'TERM': 'xterm-256color', 'COLUMNS': '120', 'LINES': '40'}
    process = subprocess.Popen(
        argv, cwd=place.path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    threading.Thread(target=_forget, args=(ours,), daemon=True).start()
    return process


def _forget(terminal: int) -> None:
    try:
        while os.read(terminal, 1 << 16):
            continue
    except OSError:
        os.close(terminal)  # Linux reports the end of a terminal as an error
