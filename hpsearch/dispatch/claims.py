"""Turning runs that wait into attempts of ours: of all who work on a search, one gets each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.base import Launch
from hpsearch.dispatch.context import SearchContext
from hpsearch.dispatch.peers import Peers
from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.store import attempt_files as attempts
from hpsearch.store.summary import summary_mark

PATIENCE = 10.0
"""Seconds that go into claiming runs before those that were claimed are started."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was claimed.

    Attributes:
        launches: The attempts, to be started.
        problem: Why there are no more of them, in words; empty: nothing was in the way.
    """

    launches: Sequence[Launch]
    problem: str = ''


class Claims:
    """Claims runs that wait.

    Args:
        search: The search.
        peers: The other writers.
        circumstances: Returns what else the journal keeps of an attempt that begins now.
        clock: Monotonic seconds.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        search: SearchContext,
        peers: Peers,
        circumstances: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._search = search
        self._pending = search.pending
        self._peers = peers
        self._circumstances = circumstances
        self._clock = clock
        self._wall = wall

    def claim(self, slots: Sequence[Slot]) -> Claimed:
        """Claim a run for each slot, as far as there are runs and nothing is in the way."""
        blocked = self._search.recorder.why_blocked()
        if blocked:
            return Claimed((), blocked)
        launches: list[Launch] = []
        end = self._clock() + PATIENCE
        try:
            for slot in slots:
                launch = self._claim_next(slot)
                if launch is None:
                    break
                launches.append(launch)
                if self._clock() > end:
                    break  # others must see us alive meanwhile
        except OSError as error:
            return Claimed(launches, _in_words(error))
        return Claimed(launches)

    def claim_demanding(self, runs: Sequence[Run], slots: Sequence[Slot], resources: ResourceRequest) -> Claimed:
        """Claim runs that all need the same beyond what every run gets, as far as there are slots."""
        launches: list[Launch] = []
        try:
            for run, slot in zip(runs, slots, strict=False):
                self._pending.take_demanding(run)
                launch = self._claim_run(run, slot, resources)
                if launch is not None:
                    launches.append(launch)
        except OSError as error:
            return Claimed(launches, _in_words(error))
        return Claimed(launches)

    def _claim_next(self, slot: Slot) -> Launch | None:
        while (run := self._pending.take()) is not None:
            launch = self._claim_run(run, slot, DEFAULT_RESOURCES)
            if launch is not None:
                return launch
        return None

    def _claim_run(self, run: Run, slot: Slot, resources: ResourceRequest) -> Launch | None:
        """Claim the next attempt of a run; None: another writer has it. A run that cannot be claimed waits again."""
        number = self._next_number(run)
        try:
            is_ours = self._claim_attempt(run.name, number)
        except OSError:
            self._pending.put_first(run)
            raise
        if not is_ours:
            self._peers.note_claim(run.name, number)
            return None
        ident = attempts.attempt_id(self._search.writer, run.name, number)
        launch = Launch(run, number, ident, slot, resources)
        at = round(self._wall(), 3)
        self._search.recorder.record('claimed', run.name, number, gpus=slot.gpus, at=at, **self._facts_of(launch))
        return launch

    def _claim_attempt(self, run: str, number: int) -> bool:
        is_ours = attempts.claim(self._search.folder, run, number, self._search.writer)
        if is_ours and number > 1 and not self._search.configuration.resumable:
            attempts.move_output_aside(self._search.folder, run, number)
        return is_ours

    def _next_number(self, run: Run) -> int:
        history = self._search.state.runs.get(run.name)
        return history.last.number + 1 if history and history.last else 1

    def _facts_of(self, launch: Launch) -> dict[str, Any]:
        """What a writer that adopts the attempt must know of it, as far as there is something to know."""
        configuration = self._search.configuration
        output = self._search.folder.output(launch.run.name)
        facts = {
            'summary_before': configuration.resumable and summary_mark(output, configuration),
            'exclusive': launch.resources.alone,
            'alone_on_host': launch.resources.alone_on_host,
            'memory': launch.resources.memory,
            **self._circumstances(),
        }
        return {name: fact for name, fact in facts.items() if fact}


def _in_words(error: OSError) -> str:
    return f'the search folder cannot be written: {error.strerror}'
