"""Which runs are started now: slots that are open are filled with runs that wait."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Launch
from hpsearch.dispatch.active_attempts import ActiveAttempts
from hpsearch.dispatch.claims import Claims
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.intake import Intake, News
from hpsearch.dispatch.peers import Peers
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.store.attempt_files import close_fence
from hpsearch.store.completion import Completion

log = logging.getLogger('hpsearch')


@dataclass(frozen=True, slots=True)
class Admitted:
    """What came of trying to start runs.

    Attributes:
        has_started: Whether some were started.
        waiting: Why no others were, in words, or empty.
        problem: What of this machine (disk, processes) is in the way, in words, so that a pause serves; or empty.
        refused: Why a queue will never take another job, in its own words, or empty.
        ended: Attempts that ended without being started, since nothing has the room they need.
        news: What other writers reported right before, where they were listened to.
    """

    has_started: bool = False
    waiting: str = ''
    problem: str = ''
    refused: str = ''
    ended: Sequence[Completion] = ()
    news: News | None = None


def why_waiting(placement: Placement) -> str:
    """Why no slot is open, in words."""
    reasons = [f'GPU {name}: {reason}' for name, reason in placement.closed.items()]
    return '; '.join(filter(None, [placement.waiting, *reasons]))


class Admission:
    """Fills slots.

    Args:
        search: The search.
        backend: Where the slots are.
        peers: The other writers.
        claims: Claims runs.
        active: Looks after the attempts that are started.
        intake: Takes in what ended.
    """

    def __init__(
        self,
        search: SearchContext,
        backend: AttemptBackend,
        peers: Peers,
        claims: Claims,
        active: ActiveAttempts,
        intake: Intake,
    ) -> None:
        self._search = search
        self._pending = search.pending
        self._backend = backend
        self._peers = peers
        self._claims = claims
        self._active = active
        self._intake = intake

    def fill(self, now: float) -> Admitted:
        """Start runs in the slots that are open: those that need more room than others, if there is any now, or else
        as many others as there are slots.

        Args:
            now: Monotonic seconds.
        """
        others = self._peers.tenants(now)
        admitted = self._admit_demanding(others, now)
        if admitted.has_started or not self._pending.has_ordinary:
            return admitted
        ordinary = self._admit_ordinary(others, now)
        return replace(ordinary, ended=admitted.ended, problem=ordinary.problem or admitted.problem)

    def _admit_ordinary(self, others: Sequence[GpuTenant], now: float) -> Admitted:
        placement = self._backend.open_slots(now, others)
        claimed = self._claims.claim(placement.slots)
        problem = self._start(claimed.launches, now) or claimed.problem
        refused = placement.waiting if placement.is_final else ''
        waiting = '' if claimed.launches else why_waiting(placement)
        return Admitted(bool(claimed.launches), waiting, problem, refused)

    # Runs that need more room than others

    def _admit_demanding(self, others: Sequence[GpuTenant], now: float) -> Admitted:
        """Start the first of them for which there is room now, and those like it."""
        admitted = Admitted()
        for run in self._pending.demanding:
            resources = self._pending.resources(run)
            impossible = '' if self._peers.are_worth_waiting_for else self._backend.impossible(resources)
            if impossible:
                return Admitted(ended=self._end_impossible(run, resources, impossible, now))
            placement = self._backend.open_slots(now, others, resources)
            admitted = Admitted(waiting=why_waiting(placement))
            if placement.slots:
                claimed = self._claims.claim_demanding(self._alike(run, resources), placement.slots, resources)
                problem = self._start(claimed.launches, now) or claimed.problem
                return replace(admitted, has_started=bool(claimed.launches), problem=problem)
        return admitted

    def _alike(self, run: Run, resources: ResourceRequest) -> Sequence[Run]:
        """A run, and where it only needs more memory in a queue than others, all those that need as much."""
        if resources != ResourceRequest(memory=resources.memory):
            return [run]
        return [each for each in self._pending.demanding if self._pending.resources(each) == resources]

    def _end_impossible(self, run: Run, resources: ResourceRequest, why: str, now: float) -> list[Completion]:
        status = AttemptStatus(JobState.ENDED, cause='impossible', detail=why)
        claimed = self._claims.claim_demanding([run], [Slot()], resources)
        return [self._intake.end(ActiveAttempt(launch, now), status, now) for launch in claimed.launches]

    # Starting

    def _start(self, launches: Sequence[Launch], now: float) -> str:
        """Start attempts; returns why some could not be started, in words."""
        problem = ''
        if launches:
            for launch, result in zip(launches, self._backend.start(launches, now), strict=True):
                if result.handle is None:
                    self._put_back(launch, result.problem)
                    problem = result.problem
                    continue
                if not result.queued:
                    self._search.recorder.record('running', launch.run.name, launch.number, handle=result.handle)
                gpus = f' on GPU {",".join(launch.slot.gpus)}' if launch.slot.gpus else ''
                log.debug('%s started%s', launch.run.name, gpus)
                self._active.begin(launch, now, queued=result.queued)
        return problem

    def _put_back(self, launch: Launch, problem: str) -> None:
        """An attempt could not be started: make sure that it never is, and let its run wait again."""
        run, state = launch.run, State.INTERRUPTED.value
        close_fence(self._search.folder.attempt(run.name, launch.number), self._search.writer)
        self._search.recorder.record('ended', run.name, launch.number, state=state, cause='start', reason=problem)
        self._pending.put_first(run)
