"""Turning runs that wait into attempts of ours: of all who work on a search, one gets each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hpsearch.backends.base import Launch
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.model.configuration import Configuration
from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.states import SearchState
from hpsearch.store import attempt_files as attempts
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from hpsearch.store.summary import summary_mark

PATIENCE = 10.0
"""Seconds that go into claiming runs before those that were claimed are started."""


class Claims:
    """Claims runs of the backlog.

    Args:
        folder: The search.
        configuration: How its results are read.
        state: What has become of its runs.
        backlog: The runs that wait.
        journal: The journal of this process.
        books: Take in what was claimed.
        others: The other writers.
        around: What the journal shall keep of the circumstances of an attempt that begins now.
        pause: Told, in words, what is in the way.
        clock: Monotonic seconds.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        *,
        folder: SearchFolder,
        configuration: Configuration,
        state: SearchState,
        backlog: PendingRuns,
        journal: Journal,
        books: EventRecorder,
        others: Peers,
        around: Callable[[], Mapping[str, Any]],
        pause: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._configuration = configuration
        self._state = state
        self._backlog = backlog
        self._journal = journal
        self._books = books
        self._others = others
        self._around = around
        self._pause = pause
        self._clock = clock
        self._wall = wall

    def claim(self, slots: Sequence[Slot]) -> list[Launch]:
        """Claim a run for each slot, as far as there are runs and nothing is in the way."""
        launches: list[Launch] = []
        if self._journal.blocked and not self._journal.flush():
            self._pause(self._journal.blocked)
            return launches
        end = self._clock() + PATIENCE
        with self._pausing():
            for slot in slots:
                launch = self._claim_next(slot)
                if launch is None:
                    break
                launches.append(launch)
                if self._clock() > end:
                    break  # others must see us alive meanwhile
        return launches

    def claim_demanding(self, runs: Sequence[Run], slots: Sequence[Slot], resources: ResourceRequest) -> list[Launch]:
        """Claim runs that all need the same beyond what every run gets, as far as there are slots."""
        launches: list[Launch] = []
        with self._pausing():
            for run, slot in zip(runs, slots, strict=False):
                self._backlog.take_demanding(run)
                launch = self._claim_run(run, slot, resources)
                if launch is not None:
                    launches.append(launch)
        return launches

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._pause(f'the search folder cannot be written: {error.strerror}')

    def _claim_next(self, slot: Slot) -> Launch | None:
        while (run := self._backlog.take()) is not None:
            launch = self._claim_run(run, slot, DEFAULT_RESOURCES)
            if launch is not None:
                return launch
        return None

    def _claim_run(self, run: Run, slot: Slot, resources: ResourceRequest) -> Launch | None:
        """Claim the next attempt of a run; None: somebody else has it. A run that cannot be claimed waits again."""
        number = self._next_number(run)
        writer = self._journal.writer
        try:
            is_ours = attempts.claim(self._folder, run.name, number, writer)
            if is_ours and number > 1 and not self._configuration.resumable:
                attempts.move_output_aside(self._folder, run.name, number)
        except OSError:
            self._backlog.put_first(run)
            raise
        if not is_ours:
            self._others.note_claim(run.name, number)
            return None
        launch = Launch(run, number, attempts.attempt_id(writer, run.name, number), slot, resources)
        at = round(self._wall(), 3)
        self._books.record('claimed', run.name, number, gpus=slot.gpus, at=at, **self._facts_of(launch))
        return launch

    def _next_number(self, run: Run) -> int:
        history = self._state.runs.get(run.name)
        return history.last.number + 1 if history and history.last else 1

    def _facts_of(self, launch: Launch) -> dict[str, Any]:
        """What an heir of an attempt must know of it, as far as there is something to know."""
        may_go_on = self._configuration.resumable
        facts = {
            'summary_before': may_go_on and summary_mark(self._folder.output(launch.run.name), self._configuration),
            'exclusive': launch.resources.alone,
            'alone_on_host': launch.resources.alone_on_host,
            'memory': launch.resources.memory,
            **self._around(),
        }
        return {name: fact for name, fact in facts.items() if fact}
