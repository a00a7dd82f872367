"""This process: its journal, its signals, where its messages go."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hpsearch.folder import SearchFolder
from hpsearch.journal import Journal, writer_name
from hpsearch.process import start_ticks, user_name
from hpsearch.view import View
from hpsearch.writers import Host

log = logging.getLogger('hpsearch')


@contextmanager
def own_journal(folder: SearchFolder, host: Host) -> Iterator[Journal]:
    """The journal of this process, closed at the end."""
    pid = os.getpid()
    writer = writer_name(host.name, pid, time.time(), os.urandom(2).hex())
    header = {
        **host.as_header(),
        'pid': pid,
        'ticks': start_ticks(pid),
        'user': user_name(os.getuid()),
        'at': round(time.time(), 3),
    }
    journal = Journal(folder, writer, header)
    try:
        yield journal
    finally:
        journal.append({'event': 'closed', 'at': round(time.time(), 3)})
        journal.close()


@contextmanager
def stop_signals(asked: int = 0) -> Iterator[Callable[[], int]]:
    """Counts Ctrl-C and TERM, from ``asked`` on; losing the terminal (HUP) changes nothing."""

    def count(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1

    earlier = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, count),
            (signal.SIGTERM, count),
            (signal.SIGHUP, _go_on),
        )
    }
    try:
        yield lambda: asked
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _go_on(number: int, frame: FrameType | None) -> None:
    """A handler rather than SIG_IGN, which the runs would inherit."""


class _ViewHandler(logging.Handler):
    """Shows log records in a view."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        is_serious = record.levelno >= logging.WARNING
        prefix = f'{record.levelname.lower()}: ' if is_serious else ''
        self._view.log(prefix + record.getMessage(), error=record.levelno >= logging.ERROR)


@contextmanager
def logging_to(view: View, level: str) -> Iterator[None]:
    """Send the messages of hpsearch to a view."""
    handler = _ViewHandler(view)
    log.addHandler(handler)
    log.setLevel(level.upper())
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
