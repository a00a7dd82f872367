"""Which runs are started now: open slots are filled with runs that wait; of all writers, one can claim each run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Launch
from hpsearch.dispatch.adaptive.checkpoints import going_on_from
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.peers import News, PeerIntake, Peers
from hpsearch.model.errors import JournalError
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.packing.box import UNDECIDED, Start
from hpsearch.results.summary import summary_mark
from hpsearch.store import attempt_files as attempts
from hpsearch.store.completion import Completion

if TYPE_CHECKING:
    from hpsearch.dispatch.packing.candidates import Candidates

log = logging.getLogger('hpsearch')

PATIENCE = 10.0
"""Seconds that go into claiming runs before those that were claimed are started."""

PLACING = 'another hpsearch on this host is placing runs'

# Claims


class Claimed:
    """Attempts that are claimed one after the other, as they are taken, so that each can be started at once.

    Attributes:
        problem: Why there are no more of them, in words, once all were taken; empty: nothing was in the way.
    """

    def __init__(self, launches: Iterator[Launch]) -> None:
        self._rest = launches
        self._taken: list[Launch] = []
        self.problem = ''

    def __iter__(self) -> Iterator[Launch]:
        """All of them, however many were taken before."""
        yield from self._taken
        while (launch := self._next()) is not None:
            self._taken.append(launch)
            yield launch

    def _next(self) -> Launch | None:
        try:
            return next(self._rest, None)
        except OSError as error:
            self.problem = f'the search folder cannot be written: {error.strerror}'
        except JournalError as error:
            self.problem = str(error)
        return None


class Claims:
    """Turns runs that wait into attempts of this writer.

    Args:
        has_late_record: Says of a run, and takes in, that the record of an earlier attempt has appeared after all.
        circumstances: Returns what else the journal keeps of an attempt that begins now.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        search: SearchContext,
        peers: Peers,
        has_late_record: Callable[[Run], bool],
        circumstances: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float],
    ) -> None:
        self._search = search
        self._pending = search.pending
        self._peers = peers
        self._has_late_record = has_late_record
        self._circumstances = circumstances
        self._clock = clock

    def claim(self, slots: Sequence[Slot]) -> Claimed:
        """Claim a run for each slot, as far as there are runs and nothing is in the way."""
        return Claimed(self._claim_ordinary(slots))

    def _claim_ordinary(self, slots: Sequence[Slot]) -> Iterator[Launch]:
        end = self._clock() + PATIENCE
        for slot in slots:
            launch = self._claim_next(slot)
            if launch is None:
                break
            yield launch
            if self._clock() > end:
                break  # others must see us alive meanwhile

    def _claim_next(self, slot: Slot) -> Launch | None:
        while (run := self._pending.take()) is not None:
            launch = self._claim_run(run, slot, DEFAULT_RESOURCES)
            if launch is not None:
                return launch
        return None

    def claim_demanding(self, runs: Sequence[Run], slots: Sequence[Slot], resources: ResourceRequest) -> Claimed:
        """Claim runs that all need the same beyond what every run gets, as far as there are slots."""
        return Claimed(self._claim_alike(runs, slots, resources))

    def claim_packed(self, starts: Sequence[Start], estimates: Mapping[str, Estimate]) -> Claimed:
        """Claim the runs that packing has chosen, each for its slot, with what it is expected to need."""
        return Claimed(self._claim_chosen(starts, estimates))

    def _claim_chosen(self, starts: Sequence[Start], estimates: Mapping[str, Estimate]) -> Iterator[Launch]:
        end = self._clock() + PATIENCE
        for start in starts:
            if self._clock() > end:
                break  # others must see us alive meanwhile
            run = self._pending.take_named(start.run)
            if run is None:
                continue
            launch = self._claim_run(run, start.slot, self._pending.resources(run), estimates[run.name])
            if launch is not None:
                yield launch

    def _claim_alike(self, runs: Sequence[Run], slots: Sequence[Slot], resources: ResourceRequest) -> Iterator[Launch]:
        for run, slot in zip(runs, slots, strict=False):
            self._pending.take_demanding(run)
            launch = self._claim_run(run, slot, resources)
            if launch is not None:
                yield launch

    def _claim_run(
        self, run: Run, slot: Slot, resources: ResourceRequest, estimate: Estimate = NOTHING_EXPECTED
    ) -> Launch | None:
        """Claim the next attempt of a run; None: it needs none. A run that cannot be claimed waits again."""
        try:
            return None if self._has_late_record(run) else self._claim_next_attempt(run, slot, resources, estimate)
        except (OSError, JournalError):
            self._pending.put_first(run)
            raise

    def _claim_next_attempt(
        self, run: Run, slot: Slot, resources: ResourceRequest, estimate: Estimate
    ) -> Launch | None:
        """None: another writer has it."""
        history = self._search.state.runs.get(run.name)
        number = history.last.number + 1 if history and history.last else 1
        ident = attempts.attempt_id(self._search.writer, run.name, number)
        search = self._search
        makes = str(search.folder.output(run.name)) if search.configuration.make_out_dir else ''
        launch = Launch(run, number, ident, slot, resources, makes, self._goes_on(run.name), estimate)
        if self._claim_attempt(launch):
            self._journal(launch)
            return launch
        self._peers.note_claim(run.name, number)
        return None

    def _goes_on(self, run: str) -> tuple[str, str, str] | None:
        """What is copied before an attempt of a run starts; None: it begins anew."""
        search, suggestion = self._search, self._search.state.suggestions.get(run)
        if suggestion is None or not suggestion.proposal.parent:
            return None
        parent = suggestion.proposal.parent
        return going_on_from(search.folder, search.configuration, run, parent, search.state.runs.get(parent))

    def _journal(self, launch: Launch) -> None:
        """Journal a claim, which is taken back otherwise: the file stays ours, for the next try."""
        recorder, facts = self._search.recorder, self._facts_of(launch)
        claim = {'gpus': launch.slot.gpus, 'at': recorder.timestamp(), **facts}
        if not recorder.record_now('claimed', launch.run.name, launch.number, **claim):
            raise JournalError(recorder.journal.blocked)

    def _claim_attempt(self, launch: Launch) -> bool:
        blocked = self._search.recorder.why_blocked()
        if blocked:
            raise JournalError(blocked)
        run, number, folder = launch.run, launch.number, self._search.folder
        is_ours = attempts.claim(folder, run.name, number, self._search.writer)
        if is_ours and number > 1 and not self._search.configuration.resumable:
            attempts.move_output_aside(folder, run.name, number)
        if is_ours:
            configuration = self._search.configuration
            attempts.write_inputs(folder, run, number, configuration, goes_on=launch.goes_on is not None)
        return is_ours

    def _facts_of(self, launch: Launch) -> dict[str, Any]:
        """What a writer that adopts the attempt must know of it, as far as there is something to know."""
        configuration = self._search.configuration
        output = self._search.folder.output(launch.run.name)
        facts = {
            'summary_before': summary_mark(output, configuration),
            'exclusive': launch.resources.alone,
            'alone_on_host': launch.resources.alone_on_host,
            'memory': launch.resources.memory,
            'estimate': launch.estimate.facts(),
            **self._circumstances(),
        }
        return {name: fact for name, fact in facts.items() if fact}


# Slots


@dataclass(frozen=True, slots=True)
class Admitted:
    """What came of trying to start runs.

    Attributes:
        started: The attempts that were started.
        waiting: Why no others were, in words, or empty.
        problem: What of this machine (disk, processes) is in the way, in words, so that a pause serves; or empty.
        refused: Why a queue will never take another job, in its own words, or empty.
        ended: Attempts that ended without being started, since nothing has the room they need.
        news: What other writers reported right before, if that was read.
    """

    started: Sequence[ActiveAttempt] = ()
    waiting: str = ''
    problem: str = ''
    refused: str = ''
    ended: Sequence[Completion] = ()
    news: News | None = None


def why_waiting(placement: Placement) -> str:
    """Why no slot is open, in words."""
    reasons = [f'GPU {name}: {reason}' for name, reason in placement.closed.items()]
    return '; '.join(filter(None, [placement.waiting, *reasons]))


def why_refused(placement: Placement) -> str:
    """Why there will never be another slot, in words; empty: there may be."""
    return placement.waiting if placement.is_final else ''


class Admission:
    """Fills slots.

    Args:
        lock: Held while runs are placed on this host; entering it says whether it was acquired in time.
        candidates: The runs that wait, with what each is expected to need, where the backend packs; None: it does not.
    """

    def __init__(
        self,
        search: SearchContext,
        backend: AttemptBackend,
        peers: Peers,
        peer_intake: PeerIntake,
        intake: Intake,
        claims: Claims,
        lock: Callable[[], AbstractContextManager[bool]],
        candidates: Candidates | None = None,
    ) -> None:
        self._search = search
        self._pending = search.pending
        self._candidates = candidates
        self._backend = backend
        self._peers = peers
        self._peer_intake = peer_intake
        self._intake = intake
        self._claims = claims
        self._lock = lock

    def admit(self, now: float, active: Collection[ActiveAttempt] = ()) -> Admitted:
        """Start runs in the slots that are open; meanwhile no other dispatcher on this host chooses slots.

        Args:
            now: Monotonic seconds.
            active: The attempts of ours that are under way.
        """
        if self._candidates is not None:
            self._candidates.learn(active, now)
        with self._lock() as is_ours:
            if not is_ours:
                return Admitted(waiting=PLACING)
            news = self._peer_intake.listen(now)
            if news.stops or news.problem or self._search.state.admission.is_paused or not self._pending:
                return Admitted(problem=news.problem, news=news)
            with self._backend.placing() as may_place:
                return replace(self._fill(now) if may_place else Admitted(waiting=PLACING), news=news)

    def _fill(self, now: float) -> Admitted:
        """Start runs that need more room than others, if there is any now, else as many others as there are slots."""
        others = self._peers.tenants(now)
        if self._candidates is not None:
            return self._pack(self._candidates, others, now)
        demanding = self._admit_demanding(others, now)
        if demanding.started or demanding.problem or not self._pending.has_ordinary:
            return demanding
        placement = self._backend.open_slots(now, others)
        admitted = self._start(self._claims.claim(placement.slots), now)
        waiting = '' if admitted.started else why_waiting(placement)
        return replace(admitted, waiting=waiting, refused=why_refused(placement), ended=demanding.ended)

    # Runs that are placed by what each is expected to need

    def _pack(self, candidates: Candidates, others: Sequence[GpuTenant], now: float) -> Admitted:
        for run in self._pending.demanding:
            if impossible := self._why_impossible(self._pending.resources(run)):
                return self._end_impossible(run, self._pending.resources(run), impossible, now)
        offered = candidates.now()
        packing = self._backend.pack(now, offered, others, candidates.sharing)
        if any(start.run == UNDECIDED for start in packing.starts) and self._pending.choose():
            offered = candidates.now(with_undecided=False)
            packing = self._backend.pack(now, offered, others, candidates.sharing)
        estimates = {candidate.run: candidate.estimate for candidate in offered}
        admitted = self._start(self._claims.claim_packed(packing.starts, estimates), now)
        why = Placement(closed=packing.closed, waiting=packing.waiting, is_final=packing.is_final)
        return replace(admitted, waiting='' if admitted.started else why_waiting(why), refused=why_refused(why))

    # Runs that need more room than others

    def _admit_demanding(self, others: Sequence[GpuTenant], now: float) -> Admitted:
        """Start the first of them for which there is room now, and those like it."""
        waiting = ''
        for run in self._pending.demanding:
            resources = self._pending.resources(run)
            if impossible := self._why_impossible(resources):
                return self._end_impossible(run, resources, impossible, now)
            placement = self._backend.open_slots(now, others, resources)
            waiting = why_waiting(placement)
            if placement.slots:
                claimed = self._claims.claim_demanding(self._alike(run, resources), placement.slots, resources)
                return replace(self._start(claimed, now), waiting=waiting)
        return Admitted(waiting=waiting)

    def _why_impossible(self, resources: ResourceRequest) -> str:
        """Why nobody has such a slot, in words; empty: we may, or another writer."""
        return '' if self._peers.are_worth_waiting_for else self._backend.impossible(resources)

    def _alike(self, run: Run, resources: ResourceRequest) -> Sequence[Run]:
        """A run, and where it only needs more memory in a queue than others, all those that need as much."""
        if resources != ResourceRequest(memory=resources.memory):
            return [run]
        return [each for each in self._pending.demanding if self._pending.resources(each) == resources]

    def _end_impossible(self, run: Run, resources: ResourceRequest, why: str, now: float) -> Admitted:
        status = AttemptStatus(JobState.ENDED, cause='impossible', detail=why)
        claimed = self._claims.claim_demanding([run], [Slot()], resources)
        ended = [self._intake.end(ActiveAttempt(launch, now), status, now) for launch in claimed]
        return Admitted(ended=ended, problem=claimed.problem)

    # Starting

    def _start(self, claimed: Claimed, now: float) -> Admitted:
        started = []
        results = self._backend.start(claimed, now)
        problem = claimed.problem
        for launch, result in zip(claimed, results, strict=True):
            problem = result.problem or problem
            is_running = result.handle is not None and not result.queued
            if is_running:
                node = {'node': self._search.options.node} if self._search.options.node else {}
                self._search.recorder.record('running', launch.run.name, launch.number, handle=result.handle, **node)
            gpus = f' on GPU {",".join(launch.slot.gpus)}' if launch.slot.gpus else ''
            needs = launch.estimate.in_words
            log.debug('%s started%s%s', launch.run.name, gpus, f', expected to need {needs}' if needs else '')
            started.append(ActiveAttempt(launch, now, in_queue=result.queued, is_running=is_running))
        return Admitted(started, problem=problem)
