"""What this process works with: its terminal, its log and its wake-ups; and what a backend is made of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.cli.options import DisplayOptions
from hpsearch.host.signals import Wakeup
from hpsearch.model.history.search_state import SearchState
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.ui.view import View, open_view

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class ProcessContext:
    """What a process works with, whatever the search.

    Attributes:
        view: Shows the search and messages.
        wakeup: Ends waits.
        stack: Closes what was opened, when the work is over.
    """

    view: View
    wakeup: Wakeup
    stack: ExitStack


@contextmanager
def process_context(display: DisplayOptions) -> Iterator[ProcessContext]:
    """Open the terminal, the log and the wake-ups of this process."""
    with ExitStack() as stack:
        view = stack.enter_context(open_view(sys.stdout, sys.stderr, quiet=display.quiet))
        stack.enter_context(_logging_to(view, display.log_level))
        yield ProcessContext(view, stack.enter_context(Wakeup()), stack)


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
def _logging_to(view: View, level: str) -> Iterator[None]:
    handler = _ViewHandler(view)
    log.addHandler(handler)
    log.setLevel(level.upper())
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)


@dataclass(frozen=True)
class BackendContext:
    """What a backend is made of.

    Attributes:
        search: The search.
        wakeup: Ends the waits of this process.
        state: The runs so far.
        note: Writes an event to the journal.
        grace: Seconds between TERM and KILL for runs that are stopped.
        declared_dead: Names of hosts that the user declared dead.
    """

    search: OpenSearch
    wakeup: Wakeup
    state: SearchState
    note: Callable[[dict[str, Any]], object]
    grace: float
    declared_dead: tuple[str, ...] = ()


MakeBackend = Callable[[BackendContext], AttemptBackend | PilotBackend]
