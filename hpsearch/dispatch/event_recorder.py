"""The books of a search: what happens is journaled, folded into the state and counted, always in that order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.progress import Progress
from hpsearch.model.states import Event, SearchState, State
from hpsearch.store.journal import Journal


class EventRecorder:
    """Takes in what happens in a search.

    Args:
        state: The fold of all journals.
        journal: The journal of this process.
        progress: Counts.
        others: The other writers.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        state: SearchState,
        journal: Journal,
        progress: Progress,
        others: Peers,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._journal = journal
        self._progress = progress
        self._others = others
        self._wall = wall

    def record(self, kind: str, run: str, number: int, **facts: Any) -> None:
        """Journal what happens to an attempt; what is not legal never gets there.

        Raises:
            IllegalMove: It is not.
        """
        event = {'event': kind, 'run': run, 'attempt': number, **facts}
        before = self._state_before(run)
        self._state.fold(self._journal.writer, event)
        self._journal.append(event)
        self._count(run, before)

    def hear(self, writer: str, event: Event) -> None:
        """Take in what another writer journaled."""
        run = event.get('run')
        before = self._state_before(run)
        self._state.replay([(writer, event)])
        if run in self._state.runs:
            self._count(run, before)

    def note(self, kind: str, **facts: Any) -> None:
        """Journal an event that concerns no attempt."""
        self._journal.append({'event': kind, 'at': round(self._wall(), 3), **facts})

    def _state_before(self, run: str | None) -> State | None:
        history = self._state.runs.get(run) if run is not None else None
        return history.state if history else None

    def _count(self, run: str, before: State | None) -> None:
        self._progress.moved(before, self._state.state_of(run))
        self._others.note(run)
