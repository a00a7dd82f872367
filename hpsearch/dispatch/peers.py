"""The other writers of a search: what they report, and the attempts they no longer look after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.host.processes import marked_processes
from hpsearch.model.evidence import Action, Evidence, HostRelation, Liveness, decide
from hpsearch.model.resources import GpuTenant
from hpsearch.model.states import ACTIVE, Attempt, Event, SearchState, State
from hpsearch.store.attempt_files import attempt_id, duration, exit_code, marks, read_fence, read_line
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader
from hpsearch.store.writers import Writers

LOOK_INTERVAL = 2.0
"""Seconds between two looks at the attempts of others."""


TORN_PATIENCE = 30.0
"""Seconds after which an empty start fence is believed to stay empty."""


@dataclass(frozen=True, slots=True)
class OrphanedAttempt:
    """An attempt of another writer, and what is to be done with it.

    Attributes:
        attempt: As the journals tell it.
        action: What is to be done.
        code: Its exit record, where there is one.
        handle: What the backend knows its process, or its job, by.
        ident: What stands in its start fence, or what would, were it started.
        cause: Why it was interrupted, in one word, where it was.
        age: Seconds since it was started, as far as that can be told.
    """

    attempt: Attempt
    action: Action
    code: int | None
    handle: Mapping[str, Any]
    ident: str
    cause: str
    age: float


class Peers:
    """Reads what other writers report, and finds what they left behind.

    Args:
        folder: The search.
        own: Name of our writer.
        reader: Has read all journals up to now.
        state: The fold of them.
        writers: Who of them is alive.
        is_running: Asks the backend for a process of this host.
        can_adopt: Asks the backend whether an attempt is in its queue.
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
        is_running: Callable[[str, int, Mapping[str, Any]], bool],
        can_adopt: Callable[[Mapping[str, Any]], bool],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._own = own
        self._reader = reader
        self._state = state
        self._writers = writers
        self._is_running = is_running
        self._can_adopt = can_adopt
        self._wall = wall
        self._active = {name for name in state.runs if self._is_theirs(name)}
        self._claims: dict[tuple[str, int], str] = {}
        self._unknown: set[str] = set()
        self._torn_since: dict[tuple[str, int], float] = {}
        self._next_look = float('-inf')

    def news(self) -> Iterator[tuple[str, Event]]:
        """What they reported since the last call; :meth:`note` must be told of each after it was folded.

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
        """An attempt is claimed by somebody; its event may still be on its way, or never come."""
        if not self._is_known(run, number):
            self._claims[run, number] = read_line(self._folder.attempt(run, number).claim)

    def _is_known(self, run: str, number: int) -> bool:
        history = self._state.runs.get(run)
        return history is not None and number in history.by_number

    def _is_theirs(self, run: str) -> bool:
        history = self._state.runs.get(run)
        last = history.last if history else None
        return last is not None and last.state in ACTIVE and last.owner != self._own

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
        found = []
        for run in self._active:
            last = self._state.runs[run].last
            if last is not None and self._relation(last) is HostRelation.SAME:
                age = max(0.0, self._wall() - (last.claimed_at or 0.0))
                found.append(
                    GpuTenant(last.gpus, now - age, exclusive=last.exclusive, alone_on_host=last.alone_on_host)
                )
        return found

    def _header(self, writer: str) -> Mapping[str, Any]:
        return self._reader.headers.get(writer, {})

    def _relation(self, attempt: Attempt) -> HostRelation:
        return self._writers.relation(self._header(attempt.owner))

    def abandoned(self, now: float, *, may_judge: bool) -> Iterator[OrphanedAttempt]:
        """What is to be done with attempts of writers who do not look after them, a look every two seconds.

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
        attempts = [last for run in sorted(self._active) if (last := self._state.runs[run].last) is not None]
        attempts += [Attempt(*key, State.CLAIMED, owner=owner) for key, owner in self._claims.items()]
        for attempt in attempts:
            found = self._look_at(attempt, now, may_judge)
            if found.action is Action.UNKNOWN:
                self._unknown.add(attempt.run)
            elif found.action is not Action.LEAVE:
                yield found

    def is_torn(self, attempt: Attempt, now: float) -> bool:
        """Whether the start fence of an attempt was left empty (a full disk, a power loss), so that nothing ran.

        Whoever finds his own fence empty leaves; it is believed after a while, and only where processes can be asked
        or where the claim was left empty as well: nobody starts what he could not claim.
        """
        key = (attempt.run, attempt.number)
        can_be_told = not attempt.owner or self._relation(attempt) is not HostRelation.OTHER
        if not can_be_told or read_fence(self._folder.attempt(*key)).ident:
            return False
        if now - self._torn_since.setdefault(key, now) < TORN_PATIENCE:
            return False
        return not marked_processes(marks(self._folder, *key))

    def _look_at(self, attempt: Attempt, now: float, may_judge: bool) -> OrphanedAttempt:
        header = self._header(attempt.owner)
        is_closed = attempt.owner in self._reader.closed
        life = self._writers.life(attempt.owner, header, is_closed=is_closed, now=now, may_judge=may_judge)
        if life is Liveness.ALIVE:
            return OrphanedAttempt(attempt, Action.LEAVE, None, {}, '', '', 0.0)
        relation = self._relation(attempt)
        paths = self._folder.attempt(attempt.run, attempt.number)
        fence = read_fence(paths)
        # The map of its submission may have been lost with the power.
        is_in_queue = attempt.is_in_queue or bool(fence.job)
        handle = attempt.handle or ({'pid': fence.pid} if fence.pid else {})
        # The process is looked at before the record: it writes the record before it ends.
        is_running = (
            relation is HostRelation.SAME
            and bool(handle)
            and not is_in_queue
            and self._is_running(attempt.run, attempt.number, handle)
        )
        code = exit_code(paths)
        can_be_asked = attempt.is_in_queue and self._can_adopt(handle)
        is_started = bool(fence.ident) and not fence.is_closed
        action = decide(life, relation, Evidence(code is not None, is_started, is_running, is_in_queue, can_be_asked))
        claimer = read_line(paths.claim) or attempt.owner
        ident = fence.ident or attempt_id(claimer, attempt.run, attempt.number)
        return OrphanedAttempt(attempt, action, code, handle, ident, _CAUSES.get(relation, ''), duration(paths) or 0.0)


_CAUSES = {
    HostRelation.REBOOTED: 'reboot',
    HostRelation.DECLARED_DEAD: 'host_dead',
    HostRelation.JOB_ENDED: 'job_ended',
}
