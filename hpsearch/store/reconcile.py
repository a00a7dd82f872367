"""What became of attempts that nobody looks after, as far as their files tell it.

A search goes on in a queue without any dispatcher, and whoever looks at it wants to know how it stands. Nothing is
written here: what the files tell is folded into a state in memory, as the report of a writer that does not exist.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hpsearch.host import kernel
from hpsearch.host.processes import is_alive
from hpsearch.model.configuration import Configuration
from hpsearch.model.evidence import HostRelation
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, TIMEOUT, Attempt, SearchState, State
from hpsearch.model.verdict import told_by
from hpsearch.store import writers
from hpsearch.store.attempt_files import duration, exit_code, read_fence, read_line
from hpsearch.store.completion import CompletionReader, EndReport
from hpsearch.store.folder import AttemptPaths, SearchFolder
from hpsearch.store.journal import JournalReader

ONLOOKER = ':onlooker'
"""The writer that does not exist; no real one has such a name."""

FRESH = 60.0
"""Seconds since its last sign of life within which a writer on another host counts as alive."""

RoomOf: TypeAlias = Callable[[Attempt, Sequence[Attempt]], Mapping[str, Any]]
"""How much room the job of an attempt had, as its backend would tell it; from the attempt and the earlier ones."""


Causes: TypeAlias = Mapping[tuple[str, int], str]
"""Run and number of an attempt to what ended it by the word of its queue."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What an attempt left in its files.

    Attributes:
        code: Its exit record; None: there is no whole one.
        signalled: What its job was sent before its end (``timeout``, ``TERM``), or empty.
        is_requeued: Whether the queue restarted its job after it had begun.
        is_started: Whether it passed its start fence.
    """

    code: int | None = None
    signalled: str = ''
    is_requeued: bool = False
    is_started: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it surely runs no more."""
        return self.code is not None or self.is_requeued

    @property
    def is_unclear(self) -> bool:
        """Whether its queue may know better what ended it."""
        return self.code is not None and self.code > 128 and self.signalled != TIMEOUT


def active_attempts(state: SearchState) -> list[Attempt]:
    """The latest attempts of all runs that are under way, or in a queue."""
    latest = (history.last for history in state.runs.values())
    return [attempt for attempt in latest if attempt is not None and attempt.state in ACTIVE]


def living_writers(folder: SearchFolder, reader: JournalReader, now: float) -> dict[str, dict[str, Any]]:
    """The writers that are at work, by one look, with what each told last.

    Args:
        folder: The search.
        reader: Has read its journals.
        now: Seconds since 1970.
    """
    open_ones = ((writer, header) for writer, header in reader.headers.items() if writer not in reader.closed)
    return {
        writer: writers.read_news(folder, writer)
        for writer, header in open_ones
        if _is_living(folder, writer, header, now)
    }


def _is_living(folder: SearchFolder, writer: str, header: Mapping[str, Any], now: float) -> bool:
    match writers.relation(kernel.host_of(header), kernel.this_host()):
        case HostRelation.SAME:
            return is_alive(int(header.get('pid', 0)), str(header.get('ticks', '')))
        case HostRelation.OTHER:
            silence = silence_of(folder, writer, now)
            return silence is not None and abs(silence) < FRESH
        case _:
            return False


def silence_of(folder: SearchFolder, writer: str, now: float) -> float | None:
    """Seconds since a writer last showed life, by the clock of the file system; None: it never did."""
    try:
        return now - os.stat(folder.journal_dir / f'{writer}.alive').st_mtime
    except OSError:
        return None


def read_traces(paths: AttemptPaths, *, queued: bool) -> Traces:
    """Read what an attempt left.

    Args:
        paths: Its files.
        queued: Whether it is a job in a queue; of others only the exit record says something.

    Raises:
        OSError: A file is there but cannot be read.
    """
    code = exit_code(paths)
    if not queued:
        return Traces(code)
    if code is not None:
        return Traces(code, read_line(paths.signalled), is_started=True)
    fence = read_fence(paths)
    is_started = bool(fence.ident) and not fence.is_closed
    return Traces(is_requeued=is_started and bool(read_line(paths.requeued)), is_started=is_started)


def cause_of(traces: Traces, told: str = '') -> tuple[str, str]:
    """What ended an attempt, in one word and in words; empty: it ended by itself, as far as is known.

    Args:
        traces: What it left.
        told: What its queue says, in one word, or empty.
    """
    if traces.signalled == TIMEOUT:
        return told_by(traces.signalled)
    if traces.code is None and traces.is_requeued:
        return 'requeued', ''
    if told and traces.is_unclear:
        return told, ''
    return told_by(traces.signalled)


class Reconciler:
    """Folds into a state what files tell.

    Attributes:
        unclear: Attempts that were passed over until their queue is asked what ended them.

    Args:
        folder: The search.
        state: Is changed.
        configuration: How results are read; called when there is one to be read.
        room_of: Asked for those attempts in a queue that ran out of memory.
    """

    def __init__(
        self, folder: SearchFolder, state: SearchState, configuration: Callable[[], Configuration], room_of: RoomOf
    ) -> None:
        self._folder = folder
        self._state = state
        self._configuration = configuration
        self._room_of = room_of
        self.unclear: list[Attempt] = []

    def take_in(self, attempts: Iterable[Attempt], causes: Causes | None = None) -> list[str]:
        """Look at active attempts that nobody looks after.

        Args:
            attempts: Which.
            causes: What the queue says of them; None: it has not been asked yet.

        Returns:
            What could not be read, in sentences.
        """
        problems = []
        for attempt in attempts:
            try:
                event = self._event(attempt, causes)
            except OSError as error:
                problems.append(f'what {attempt.run} left cannot be read: {error.strerror} ({error.filename})')
                continue
            if event:
                self._fold(attempt, event)
        return problems

    def note_running(self, attempts: Iterable[Attempt]) -> None:
        """Take in that a queue says of attempts that they run."""
        for attempt in attempts:
            if attempt.state is not State.RUNNING:
                self._fold(attempt, {'event': 'running'})

    def _fold(self, attempt: Attempt, event: Mapping[str, Any]) -> None:
        self._state.replay([(ONLOOKER, {**event, 'run': attempt.run, 'attempt': attempt.number})])

    def _event(self, attempt: Attempt, causes: Causes | None) -> dict[str, Any]:
        """What a dispatcher would report of an attempt; empty: nothing new."""
        paths = self._folder.attempt(attempt.run, attempt.number)
        traces = read_traces(paths, queued=attempt.is_in_queue)
        if causes is None and traces.is_unclear and attempt.is_in_queue:
            self.unclear.append(attempt)
        elif traces.has_ended:
            told = (causes or {}).get((attempt.run, attempt.number), '')
            run = self._folder.find_run(attempt.run)
            return self._end_of(attempt, run, traces, told) if run is not None else {}
        is_news = traces.is_started and attempt.state is not State.RUNNING
        return {'event': 'running'} if is_news else {}

    def _end_of(self, attempt: Attempt, run: Run, traces: Traces, told: str) -> dict[str, Any]:
        tried = self._state.runs[run.name].attempts
        earlier = [each for each in tried if each.number < attempt.number]

        def room() -> Mapping[str, Any]:
            return self._room_of(attempt, earlier) if attempt.is_in_queue else {}

        cause, detail = cause_of(traces, told)
        seconds = duration(self._folder.attempt(run.name, attempt.number))
        endings = CompletionReader(self._folder, self._configuration())
        ending = endings.judge(run, attempt.number, tried, EndReport(traces.code, cause, detail, seconds, room=room))
        return {'event': 'ended', **ending.facts()}
