"""What happens in a search: every event is folded into the state, journaled and counted, always in that order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hpsearch.model.states import Event, SearchState, State
from hpsearch.store.journal import Journal


class EventRecorder:
    """Records what happens in a search; nothing else writes events to the journal of this process.

    Attributes:
        state: What all journals say.
        counts: Number of runs in each state; runs without events are in none.

    Args:
        state: What all journals say so far.
        journal: The journal of this process.
        wall: Seconds since 1970, for people only.
    """

    def __init__(self, state: SearchState, journal: Journal, wall: Callable[[], float] = time.time) -> None:
        self.state = state
        self.counts: Counter[State] = Counter(history.state for history in state.runs.values())
        self._journal = journal
        self._wall = wall

    @property
    def writer(self) -> str:
        """Name of this writer."""
        return self._journal.writer

    def record(self, kind: str, run: str, number: int, **facts: Any) -> None:
        """Record what happens to an attempt; an illegal event never reaches the journal.

        Raises:
            IllegalMove: The event cannot follow what this writer recorded of the attempt before.
        """
        event = {'event': kind, 'run': run, 'attempt': number, **facts}
        before = self._state_of(run)
        self.state.fold(self._journal.writer, event)
        self._journal.append(event)
        self._count(run, before)

    def note(self, kind: str, **facts: Any) -> bool:
        """Record an event that concerns no attempt, with the time; says whether it is in the journal already."""
        return self.note_event({'event': kind, 'at': round(self._wall(), 3), **facts})

    def note_event(self, event: Event) -> bool:
        """Record an event that concerns no attempt, as it is; says whether it is in the journal already."""
        self.state.fold(self._journal.writer, event)
        return self._journal.append(event)

    def hear(self, writer: str, event: Event) -> None:
        """Take in what another writer journaled."""
        run = event.get('run')
        before = self._state_of(run)
        self.state.replay([(writer, event)])
        if run in self.state.runs:
            self._count(run, before)

    def why_blocked(self) -> str:
        """Why the journal cannot be written, in words, after another try; empty: it can."""
        journal = self._journal
        return journal.blocked if journal.blocked and not journal.flush() else ''

    def _state_of(self, run: str | None) -> State | None:
        """The state of a run; None: it has no events."""
        history = self.state.runs.get(run) if run is not None else None
        return history.state if history else None

    def _count(self, run: str, before: State | None) -> None:
        if before is not None:
            self.counts[before] -= 1
        self.counts[self.state.runs[run].state] += 1
