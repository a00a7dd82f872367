"""The other writers of a search: what they report, and what they left behind, which is ended or adopted."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.dispatch.context import ActiveAttempt, EventRecorder, SearchContext
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.shutdown import Stop
from hpsearch.model.control.requests import REQUESTS
from hpsearch.model.errors import JournalError, trouble_in_words
from hpsearch.model.evidence import (
    Action,
    Conclusion,
    HostRelation,
    JobState,
    Liveness,
    action_for,
    conclude,
    node_name,
)
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import GpuTenant, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, Event, State
from hpsearch.store.attempt_files import attempt_id, attempt_processes, claimant, close_fence, duration, read_fence
from hpsearch.store.completion import Completion
from hpsearch.store.evidence import EvidenceReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, header_from_name
from hpsearch.store.plan.planned_runs import MOST_WARNINGS
from hpsearch.store.writers import Writers, is_astray

log = logging.getLogger('hpsearch')

RECOVERY_INTERVAL = 2.0
"""Seconds between two examinations of the attempts of peers."""

TORN_PATIENCE = 30.0
"""Seconds after which an empty start fence is believed to stay empty."""


@dataclass(frozen=True, slots=True)
class OrphanedAttempt:
    """An attempt whose writer does not manage it any more.

    Attributes:
        attempt: As the journals have it.
        action: What is to be done with it.
        conclusion: What became of it.
        handle: How the backend finds its process, or its job.
        ident: What stands in its start fence, or what would, were it started.
        age: Seconds since it was started, as far as that is known.
        node: The node of a cluster whose job passed its start fence; empty: none.
    """

    attempt: Attempt
    action: Action
    conclusion: Conclusion
    handle: Mapping[str, Any]
    ident: str
    age: float
    node: str = ''

    @property
    def is_left_alone(self) -> bool:
        """Whether nothing can be done with it; one that may still run on a host may have left a whole summary."""
        is_job = self.attempt.is_in_queue or self.conclusion.is_unasked
        return self.action is Action.LEAVE or (self.action is Action.UNKNOWN and is_job)


class Peers:
    """Keeps which attempts belong to other writers, and finds those that are not managed any more.

    Args:
        reader: Has read all journals up to now.
        can_adopt: Says of a handle whether our backend can adopt such an attempt.
        began: When this process began, in the unit of start times: a stop that was asked for since is meant for it.
        only: The runs that are looked after; None: all.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        folder: SearchFolder,
        recorder: EventRecorder,
        reader: JournalReader,
        writers: Writers,
        can_adopt: Callable[[Mapping[str, Any]], bool],
        began: float = math.inf,
        only: Collection[str] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._own = recorder.writer
        self._state = recorder.state
        self._reader = reader
        self._writers = writers
        self._can_adopt = can_adopt
        self._only = only
        self._wall = wall
        self._active = {name for name in self._state.runs if self._is_theirs(name)}
        self._claims: dict[tuple[str, int], str] = {}
        self._unknown: set[str] = set()
        self._torn_since: dict[tuple[str, int], float] = {}
        self._next_recovery = float('-inf')
        self._early_stops = [each for each in self._state.stops if self._is_later(each[0], began)]

    def _is_later(self, writer: str, began: float) -> bool:
        """Whether another process of this host started after us."""
        header = self._header(writer)
        is_here = self._writers.relation(header) is HostRelation.SAME
        return is_here and float(header.get('ticks') or 0) >= began

    # What they report

    def news(self) -> Iterator[tuple[str, Event]]:
        """What they reported since the last call; pass each to :meth:`note` after it was folded.

        Raises:
            JournalError: A journal cannot be read.
        """
        stops, self._early_stops = self._early_stops, []
        yield from stops
        known = len(self._reader.odd)
        yield from self._reader.news(skip=self._own)
        for odd in self._reader.odd[known : known + MOST_WARNINGS]:
            log.warning('left out: %s', odd)

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
            self._claims[run, number] = claimant(self._folder.attempt(run, number))

    def _is_known(self, run: str, number: int) -> bool:
        return self._state.attempt_of(run, number) is not None

    def _is_theirs(self, run: str) -> bool:
        if self._only is not None and run not in self._only:
            return False
        last = self._last(run)
        return last is not None and last.state in ACTIVE and last.owner != self._own

    def _last(self, run: str) -> Attempt | None:
        history = self._state.runs.get(run)
        return history.last if history else None

    @property
    def unknown(self) -> frozenset[str]:
        """Runs that may still be under way on hosts that cannot be asked."""
        return frozenset(self._unknown)

    @property
    def are_worth_waiting_for(self) -> bool:
        """Whether something of theirs may still end."""
        return bool(self._active - self._unknown) or bool(self._claims)

    def tenants(self, now: float) -> list[GpuTenant]:
        """Their attempts on GPUs of this host, for placement."""
        here = [each for each in self._attempts(self._active) if self._relation(each) is HostRelation.SAME]
        return [self._tenant(attempt, now) for attempt in here]

    def _attempts(self, runs: Iterable[str]) -> list[Attempt]:
        return [last for run in runs if (last := self._last(run)) is not None]

    def _tenant(self, attempt: Attempt, now: float) -> GpuTenant:
        age = max(0.0, self._wall() - (attempt.claimed_at or 0.0))
        return GpuTenant(
            attempt.gpus,
            now - age,
            exclusive=attempt.exclusive,
            alone_on_host=attempt.alone_on_host,
            run=attempt.run,
            estimate=attempt.estimate,
            group=_group_of(attempt),
        )

    # What they left behind

    def orphans(self, now: float, *, may_judge: bool) -> Iterator[OrphanedAttempt]:
        """Attempts that their writers do not manage any more; none until the next examination is due.

        Raises:
            OSError: After all others: the evidence of one cannot be read.
        """
        if now < self._next_recovery:
            return
        self._next_recovery = now + RECOVERY_INTERVAL
        self._claims = {key: owner for key, owner in self._claims.items() if not self._is_known(*key)}
        claims = [Attempt(*key, State.CLAIMED, owner=owner) for key, owner in self._claims.items()]
        # All writers before all evidence: see EvidenceReader.
        attempts = [*self._attempts(sorted(self._active)), *claims]
        lives = [(each, self._life(each.owner, now, may_judge)) for each in attempts]
        reader, trouble = EvidenceReader(self._folder), None
        for attempt, life in lives:
            try:
                orphan = self._examine(attempt, life, reader)
            except OSError as error:
                trouble = error
                continue
            self._unknown.discard(attempt.run)  # its writer may have come back
            if orphan is not None and orphan.action is Action.UNKNOWN:
                self._unknown.add(attempt.run)
            if orphan is not None and not orphan.is_left_alone:
                yield orphan
        if trouble is not None:
            raise trouble

    def _header(self, writer: str) -> Mapping[str, Any]:
        return self._reader.headers.get(writer) or header_from_name(writer)

    def _relation(self, attempt: Attempt) -> HostRelation:
        return self._writers.relation(self._header(attempt.owner))

    def _life(self, writer: str, now: float, may_judge: bool) -> Liveness:
        is_closed = writer in self._reader.closed
        return self._writers.life(writer, self._header(writer), is_closed=is_closed, now=now, may_judge=may_judge)

    def _examine(self, attempt: Attempt, life: Liveness, reader: EvidenceReader) -> OrphanedAttempt | None:
        """What became of an attempt; None: its writer manages it."""
        user = str(self._header(attempt.owner).get('user', ''))
        evidence = reader.read(attempt, life, self._relation(attempt), user)
        found = conclude(evidence)
        if found.is_attended:
            return None
        paths = self._folder.attempt(attempt.run, attempt.number)
        fence, handle = read_fence(paths), reader.handle(attempt)
        # Of a job whose submission is not known there are only its fence and its record.
        is_known = attempt.is_in_queue or not evidence.is_queued
        action = action_for(found, can_adopt=is_known and bool(handle) and self._can_adopt(handle))
        ident = fence.ident or attempt_id(claimant(paths) or attempt.owner, attempt.run, attempt.number)
        node = node_name(fence.host)
        return OrphanedAttempt(attempt, action, found, handle, ident, duration(paths) or 0.0, node)

    def is_torn(self, attempt: Attempt, now: float) -> bool:
        """Whether the start fence of an attempt was left empty (a full disk, a power loss), so that nothing ran.

        An attempt that finds its own fence empty exits. An empty one is believed after a while, and only where
        processes can be listed or where the claim was left empty as well: what was not claimed is not started.
        """
        key = (attempt.run, attempt.number)
        is_here = not attempt.owner or self._relation(attempt) is not HostRelation.OTHER
        if not is_here or read_fence(self._folder.attempt(*key)).ident:
            return False
        if now - self._torn_since.setdefault(key, now) < TORN_PATIENCE:
            return False
        return (attempt.run, str(attempt.number)) not in attempt_processes(self._folder).values()


# What is done about it


@dataclass(frozen=True, slots=True)
class News:
    """What other writers reported.

    Attributes:
        at: When that was read, in monotonic seconds.
        stops: How far a stop was asked for, and why, in words.
        taken_over: Attempts (run and number) that another writer has adopted.
        problem: Why some of it could not be read, in words, or empty.
        is_incomplete: Whether there are ends that could not be taken in yet.
    """

    at: float
    stops: Sequence[tuple[Stop, str]] = ()
    taken_over: Sequence[tuple[str, int]] = ()
    problem: str = ''
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done with orphaned attempts.

    Attributes:
        adopted: Those that go on, and what the backend knows each by: they are ours now, by the journal alone so far.
        ended: Those that have ended, or never will begin.
        problem: Why some could not be examined, in words, or empty.
    """

    adopted: Sequence[tuple[ActiveAttempt, Mapping[str, Any]]] = ()
    ended: Sequence[Completion] = ()
    problem: str = ''


class PeerIntake:
    """Takes in what other writers report, and takes care of the attempts they left behind."""

    def __init__(self, search: SearchContext, peers: Peers, intake: Intake) -> None:
        self._search = search
        self._peers = peers
        self._intake = intake
        self._ended: dict[str, None] = {}

    # What they report

    def listen(self, now: float) -> News:
        """Take in what is new."""
        stops: list[tuple[Stop, str]] = []
        adopted: list[tuple[str, int]] = []
        problem = ''
        try:
            for writer, event in self._peers.news():
                if event['event'] == 'stop':
                    stops.append((Stop.DRAIN if event.get('drain') else Stop.TERM, 'stopped by hpsearch stop'))
                else:
                    adopted += self._hear(writer, event)
        except JournalError as error:
            problem = str(error)
        problem = problem or self._hear_ends()
        taken_over = [each for each in adopted if self._is_theirs(*each)]
        return News(now, stops, taken_over, problem, is_incomplete=bool(self._ended))

    def _hear(self, writer: str, event: Event) -> list[tuple[str, int]]:
        """Take in one event; returns the attempt that it says was adopted."""
        self._search.recorder.hear(writer, event)
        if event['event'] in ('provenance', 'code'):
            self._search.results.note_code()
        run = event.get('run')
        if run not in self._search.state.runs:
            return []
        self._peers.note(run)
        if event['event'] in ('ended', 'pruned', *REQUESTS):
            self._ended[run] = None
        return [(run, event.get('attempt', 0))] if event['event'] == 'adopted' else []

    def _hear_ends(self) -> str:
        """Take in the ends that were reported; returns why that has to be tried again, in words, or nothing."""
        try:
            for run in list(self._ended):
                self._intake.hear_end(run)
                del self._ended[run]
        except OSError as error:
            return f'the plan cannot be read: {trouble_in_words(error)}'
        return ''

    def _is_theirs(self, run: str, number: int) -> bool:
        attempt = self._search.state.attempt_of(run, number)
        return attempt is not None and attempt.owner != self._search.writer

    # What they left behind

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """End or adopt orphaned attempts; ``may_judge``: we can write, so that others may be declared stale."""
        adopted: list[tuple[ActiveAttempt, Mapping[str, Any]]] = []
        ended: list[Completion] = []
        problem = ''
        orphans = self._peers.orphans(now, may_judge=may_judge)
        while True:
            try:
                orphan = next(orphans, None)
                if orphan is None:
                    return Recovered(adopted, ended, problem)
                run = self._search.folder.find_run(orphan.attempt.run)
                if run is None:
                    continue
                if orphan.action is Action.UNKNOWN:
                    ended += self._end_if_finished(orphan, run, now)
                elif orphan.action is Action.ADOPT:
                    adopted.append((self._adopt(orphan, run, now), self._handle(orphan)))
                else:
                    ended += self._end(orphan, run, now)
                self._peers.note(run.name)
            except OSError as error:
                problem = f'the search folder cannot be read: {trouble_in_words(error)}'

    def _adopt(self, orphan: OrphanedAttempt, run: Run, now: float) -> ActiveAttempt:
        attempt = orphan.attempt
        is_queued = attempt.is_in_queue and attempt.state is not State.RUNNING
        facts = {'queued': True} if is_queued else {}
        generation = attempt.generation + 1
        self._search.recorder.record('adopted', run.name, attempt.number, generation=generation, **facts)
        active = _active(orphan, run, now)
        active.in_queue, active.is_submitted, active.is_running = attempt.is_in_queue, True, not is_queued
        return active

    def _handle(self, orphan: OrphanedAttempt) -> dict[str, Any]:
        """What the backend knows an attempt by, with what is known of its submission."""
        submission = self._search.state.submissions.get(str(orphan.handle.get('submission', '')))
        if submission is None:
            return dict(orphan.handle)
        known = {'at': submission.at, 'throttle': submission.throttle, 'job': submission.job, 'limit': submission.limit}
        place = submission.place if is_astray(submission, self._search.folder) else ''
        return {**known, 'place': place, **orphan.handle}

    def _end(self, orphan: OrphanedAttempt, run: Run, now: float) -> list[Completion]:
        """Take in the end of an attempt; empty: it may yet begin, since its start fence could not be closed."""
        found = orphan.conclusion
        status = AttemptStatus(JobState.ENDED, found.code, found.cause, found.detail, node=orphan.node)
        if orphan.action is Action.FENCE:
            if not self._is_fenced(orphan, now):
                return []
            status = AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been started')
        return [self._intake.end(_active(orphan, run, now), status, now)]

    def _end_if_finished(self, orphan: OrphanedAttempt, run: Run, now: float) -> list[Completion]:
        """Where its processes cannot be listed, a summary that says finished is enough."""
        completion = self._intake.end_if_finished(_active(orphan, run, now))
        return [completion] if completion else []

    def _is_fenced(self, orphan: OrphanedAttempt, now: float) -> bool:
        paths = self._search.folder.attempt(orphan.attempt.run, orphan.attempt.number)
        return close_fence(paths, self._search.writer) or self._peers.is_torn(orphan.attempt, now)


def _group_of(attempt: Attempt) -> int:
    """The process group of an attempt on this host; 0: not known."""
    pid = attempt.handle.get('pid') if isinstance(attempt.handle, Mapping) else None
    return pid if isinstance(pid, int) else 0


def _active(orphan: OrphanedAttempt, run: Run, now: float) -> ActiveAttempt:
    attempt = orphan.attempt
    resources = ResourceRequest(alone=attempt.exclusive, alone_on_host=attempt.alone_on_host, memory=attempt.memory)
    slot = Slot(attempt.gpus)
    launch = Launch(run, attempt.number, orphan.ident, slot, resources, estimate=attempt.estimate)
    return ActiveAttempt(launch, now - orphan.age)
