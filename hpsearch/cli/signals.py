"""This process: its journal, its signals, where its messages go."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from hpsearch.dispatch.shutdown import StopRequests
from hpsearch.host.kernel import Host
from hpsearch.host.processes import start_ticks, user_name
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, writer_name
from hpsearch.ui.view import View

log = logging.getLogger('hpsearch')


@contextmanager
def own_journal(folder: SearchFolder, host: Host, job: Mapping[str, str] | None = None) -> Iterator[Journal]:
    """The journal of this process, closed at the end; ``job`` is the queue job it runs in."""
    pid = os.getpid()
    writer = writer_name(host.name, pid, time.time(), os.urandom(2).hex())
    header = {
        **host.as_header(),
        'pid': pid,
        'ticks': start_ticks(pid),
        'user': user_name(os.getuid()),
        'at': round(time.time(), 3),
        **({'job': job} if job else {}),
    }
    journal = Journal(folder, writer, header)
    try:
        yield journal
    finally:
        journal.append({'event': 'closed', 'at': round(time.time(), 3)})
        journal.close()


@contextmanager
def stop_signals(
    asked: int = 0, *, term_leaves: bool = False, like_term: Sequence[signal.Signals] = ()
) -> Iterator[StopRequests]:
    """Counts Ctrl-C and TERM, from ``asked`` on; losing the terminal (HUP) changes nothing.

    Args:
        asked: How many stops were asked for already.
        term_leaves: TERM, which a queue or a host that goes down sends, only ends this process, not its jobs.
        like_term: Signals that mean the same as TERM, unless whoever started this process had them ignored.
    """
    wishes = StopRequests(asked)
    alike = [number for number in like_term if signal.getsignal(number) is not signal.SIG_IGN]

    def count(number: int, frame: FrameType | None) -> None:
        if term_leaves and number != signal.SIGINT:
            wishes.leaves = True
        else:
            wishes.stops += 1

    earlier = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, count),
            (signal.SIGTERM, count),
            *((number, count) for number in alike),
            (signal.SIGHUP, _go_on),
        )
    }
    try:
        yield wishes
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
