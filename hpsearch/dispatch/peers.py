"""The other writers of a search: what they report, and the attempts they no longer look after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.host.processes import marked_processes
from hpsearch.model.evidence import Action, HostRelation, Liveness, action_for, conclude
from hpsearch.model.resources import GpuTenant
from hpsearch.model.states import ACTIVE, Attempt, Event, SearchState, State
from hpsearch.store.attempt_files import attempt_id, duration, marks, read_fence, read_line
from hpsearch.store.evidence import EvidenceReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader
from hpsearch.store.writers import Writers

LOOK_INTERVAL = 2.0
"""Seconds between two looks at the attempts of peers."""

TORN_PATIENCE = 30.0
"""Seconds after which an empty start fence is believed to stay empty."""


@dataclass(frozen=True, slots=True)
class OrphanedAttempt:
    """An attempt of another writer that does not look after it any more.

    Attributes:
        attempt: As the journals have it.
        action: What is to be done with it.
        code: Its exit record, where there is one.
        cause: What ended it from outside, in one word, or empty.
        detail: What became of it, in words.
        handle: How the backend finds its process, or its job.
        ident: What stands in its start fence, or what would, were it started.
        age: Seconds since it was started, as far as that is known.
    """

    attempt: Attempt
    action: Action
    code: int | None
    cause: str
    detail: str
    handle: Mapping[str, Any]
    ident: str
    age: float


class Peers:
    """Reads what other writers report, and finds what they left behind.

    Args:
        folder: The search.
        own: Name of our writer.
        reader: Has read all journals up to now.
        state: The fold of them.
        writers: Which of them are alive.
        can_adopt: Says of a handle whether our backend can look after such an attempt.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        folder: SearchFolder,
        own: str,
        reader: JournalReader,
        state: SearchState,
        writers: Writers,
        can_adopt: Callable[[Mapping[str, Any]], bool],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._own = own
        self._reader = reader
        self._state = state
        self._writers = writers
        self._can_adopt = can_adopt
        self._wall = wall
        self._active = {name for name in state.runs if self._is_theirs(name)}
        self._claims: dict[tuple[str, int], str] = {}
        self._unknown: set[str] = set()
        self._torn_since: dict[tuple[str, int], float] = {}
        self._next_look = float('-inf')

    # What they report

    def news(self) -> Iterator[tuple[str, Event]]:
        """What they reported since the last call; pass each to :meth:`note` after it was folded.

        Raises:
            JournalError: A journal cannot be read.
        """
        return self._reader.news(skip=self._own)

    def note(self, run: str) -> None:
        """Something happened to a run."""
        if self._is_theirs(run):
            self._active.add(run)
        else:
            self._active.discard(run)
            self._unknown.discard(run)

    def note_claim(self, run: str, number: int) -> None:
        """An attempt is claimed by a peer; its event may still be on its way, or never come."""
        if not self._is_known(run, number):
            self._claims[run, number] = read_line(self._folder.attempt(run, number).claim)

    def _is_known(self, run: str, number: int) -> bool:
        return self._state.attempt_of(run, number) is not None

    def _is_theirs(self, run: str) -> bool:
        last = self._last(run)
        return last is not None and last.state in ACTIVE and last.owner != self._own

    def _last(self, run: str) -> Attempt | None:
        history = self._state.runs.get(run)
        return history.last if history else None

    @property
    def unknown(self) -> frozenset[str]:
        """Runs that may still be under way where nobody can be asked."""
        return frozenset(self._unknown)

    @property
    def are_worth_waiting_for(self) -> bool:
        """Whether something of theirs may still end."""
        return bool(self._active - self._unknown) or bool(self._claims)

    def tenants(self, now: float) -> list[GpuTenant]:
        """Their attempts on GPUs of this host, for placement; ``now`` in monotonic seconds."""
        here = [each for each in self._attempts(self._active) if self._relation(each) is HostRelation.SAME]
        return [self._tenant(attempt, now) for attempt in here]

    def _attempts(self, runs: Iterable[str]) -> list[Attempt]:
        return [last for run in runs if (last := self._last(run)) is not None]

    def _tenant(self, attempt: Attempt, now: float) -> GpuTenant:
        age = max(0.0, self._wall() - (attempt.claimed_at or 0.0))
        return GpuTenant(attempt.gpus, now - age, exclusive=attempt.exclusive, alone_on_host=attempt.alone_on_host)

    # What they left behind

    def abandoned(self, now: float, *, may_judge: bool) -> Iterator[OrphanedAttempt]:
        """Attempts of writers that do not look after them, with what is to be done; a look every two seconds.

        Args:
            now: Monotonic seconds.
            may_judge: Whether we can write ourselves.

        Raises:
            OSError: The evidence cannot be read.
        """
        if now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL
        self._claims = {key: owner for key, owner in self._claims.items() if not self._is_known(*key)}
        claims = [Attempt(*key, State.CLAIMED, owner=owner) for key, owner in self._claims.items()]
        # All writers before all evidence: see EvidenceReader.
        attempts = [*self._attempts(sorted(self._active)), *claims]
        lives = [(each, self._life(each.owner, now, may_judge)) for each in attempts]
        reader = EvidenceReader(self._folder)
        for attempt, life in lives:
            found = self._look_at(attempt, life, reader)
            if found.action is Action.UNKNOWN:
                self._unknown.add(attempt.run)
            elif found.action is not Action.LEAVE:
                yield found

    def _header(self, writer: str) -> Mapping[str, Any]:
        return self._reader.headers.get(writer, {})

    def _relation(self, attempt: Attempt) -> HostRelation:
        return self._writers.relation(self._header(attempt.owner))

    def _life(self, writer: str, now: float, may_judge: bool) -> Liveness:
        is_closed = writer in self._reader.closed
        return self._writers.life(writer, self._header(writer), is_closed=is_closed, now=now, may_judge=may_judge)

    def _look_at(self, attempt: Attempt, life: Liveness, reader: EvidenceReader) -> OrphanedAttempt:
        user = str(self._header(attempt.owner).get('user', ''))
        evidence = reader.read(attempt, life, self._relation(attempt), user)
        found = conclude(evidence)
        if found.is_attended:
            return OrphanedAttempt(attempt, Action.LEAVE, None, '', found.detail, {}, '', 0.0)
        paths = self._folder.attempt(attempt.run, attempt.number)
        fence = read_fence(paths)
        handle = attempt.handle or ({'pid': fence.pid} if fence.pid else {})
        # Of a job whose submission is not known only its fence and its record tell.
        is_known = attempt.is_in_queue or not evidence.is_queued
        action = action_for(found, can_adopt=is_known and bool(handle) and self._can_adopt(handle))
        ident = fence.ident or attempt_id(read_line(paths.claim) or attempt.owner, attempt.run, attempt.number)
        age = duration(paths) or 0.0
        return OrphanedAttempt(attempt, action, found.code, found.cause, found.detail, handle, ident, age)

    def is_torn(self, attempt: Attempt, now: float) -> bool:
        """Whether the start fence of an attempt was left empty (a full disk, a power loss), so that nothing ran.

        An attempt that finds its own fence empty leaves. An empty one is believed after a while, and only where
        processes can be asked or where the claim was left empty as well: nobody starts what he could not claim.
        """
        key = (attempt.run, attempt.number)
        is_here = not attempt.owner or self._relation(attempt) is not HostRelation.OTHER
        if not is_here or read_fence(self._folder.attempt(*key)).ident:
            return False
        if now - self._torn_since.setdefault(key, now) < TORN_PATIENCE:
            return False
        return not marked_processes(marks(self._folder, *key))
