"""The two ways in which the runs of a search get executed: as attempts of ours, or by pilots that start their own."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, PilotBackend, Workload
from hpsearch.dispatch.adaptive.pruning import Pruning
from hpsearch.dispatch.admission import Admission, Admitted, why_refused, why_waiting
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.control.cancelling import Cancelling
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.packing.yielding import Yielding
from hpsearch.dispatch.peers import News, PeerIntake, Recovered
from hpsearch.dispatch.progress import OutputEcho
from hpsearch.host.signals import StopRequests
from hpsearch.model.errors import trouble_in_words
from hpsearch.model.evidence import JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import host_of
from hpsearch.model.retries import Pauses, bad_places, running_ages
from hpsearch.model.states import ENDED, State
from hpsearch.store.completion import Completion

if TYPE_CHECKING:
    from hpsearch.dispatch.adaptive.metrics import Metrics

log = logging.getLogger('hpsearch')

ENDED_BY_TERM = 143
"""The raw status of an attempt that was ended by TERM."""

LATE_INTERVAL = 10.0
"""Seconds between two looks whether attempts that wait in a queue are still needed."""

LATE_LOOKS = 100
"""At how many of them is looked at a time, since each look is one at the files of an earlier attempt."""

UNREADABLE_PATIENCE = 600.0
"""Seconds for which it is tried to read what an attempt left; then it is lost."""

IN_JOB_PATIENCE = 2.0
"""Seconds after the end of a run by TERM in which we are asked to end as well, if it was its job that was."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of attempts.

    Attributes:
        ended: The ends that were taken in.
        trouble: What of one attempt cannot be done or known now, in words, or empty.
        problem: What of this machine keeps attempts from being started, in words, so that a pause serves; or empty.
    """

    ended: Sequence[Completion] = ()
    trouble: str = ''
    problem: str = ''


@dataclass(frozen=True, slots=True)
class JudgedPlaces:
    """The places in which attempts of a search have ended or are running.

    Attributes:
        bad: Those in which runs fail while they do not elsewhere, each with the attempts that did.
        suspects: Those that are bad if what is running elsewhere turns out to be well.
        busy: Those in which something is running.
    """

    bad: Mapping[str, Sequence[Attempt]]
    suspects: frozenset[str]
    busy: frozenset[str]


@dataclass(slots=True)
class _Postponed:
    """An end that could not be taken in when it was reported.

    Attributes:
        status: The report.
        since: When that was, in monotonic seconds.
        pauses: When it is tried again.
    """

    status: AttemptStatus
    since: float
    pauses: Pauses = field(default_factory=lambda: Pauses(1.0, 60.0))


class AttemptStrategy:
    """Starts an attempt for each run and follows it until it ends, as it does those that it adopts.

    Args:
        job_started: Called when the start of an attempt in a queue (run and number) was seen, or its end.
        metrics: Journals what they report; None: nobody wants to know.
    """

    def __init__(
        self,
        search: SearchContext,
        backend: AttemptBackend,
        intake: Intake,
        peer_intake: PeerIntake,
        admission: Admission,
        requests: StopRequests,
        echo: OutputEcho,
        pruning: Pruning,
        yielding: Yielding,
        cancelling: Cancelling,
        job_started: Callable[[str, int], None],
        clock: Callable[[], float],
        metrics: Metrics | None = None,
    ) -> None:
        self.backend = backend
        self._search = search
        self._intake = intake
        self._peer_intake = peer_intake
        self._admission = admission
        self._requests = requests
        self._echo = echo
        self._pruning = pruning
        self._yielding = yielding
        self._cancelling = cancelling
        self._metrics = metrics
        self._job_started = job_started
        self._clock = clock
        self._active: dict[str, ActiveAttempt] = {}
        self._next_look = 0.0
        self._looked_at = 0
        self._postponed: dict[str, _Postponed] = {}

    @property
    def attempts(self) -> Collection[ActiveAttempt]:
        """The attempts of ours that are under way."""
        return self._active.values()

    # Those that begin

    def admit(self, now: float) -> Admitted:
        """Fill the slots that are open."""
        admitted = self._admission.admit(now, self._active.values())
        if admitted.news is not None:
            self._release(admitted.news)
        for active in admitted.started:
            self._hold(active)
        for active in admitted.started:
            self._echo.begin(active.launch)
        return admitted

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """Take care of what other writers left behind, and adopt what still runs."""
        recovered = self._peer_intake.recover(now, may_judge=may_judge)
        for active, handle in recovered.adopted:
            self._adopt(active, handle, now)
        return recovered

    def _adopt(self, active: ActiveAttempt, handle: Mapping[str, Any], now: float) -> None:
        self.backend.adopt(active.launch, handle, now - active.since, now)
        self._hold(active)
        where = 'runs' if active.is_running else 'is in the queue'
        log.info('%s %s already, started by an earlier hpsearch', active.launch.run.name, where)

    def _hold(self, active: ActiveAttempt) -> None:
        self._active[active.launch.ident] = active
        self._search.pending.hold(active.launch.run)

    def _drop(self, ident: str) -> None:
        self._search.pending.release(self._active.pop(ident).launch.run)

    def listen(self, now: float) -> News:
        """Take in what other writers report, and release what they have adopted."""
        news = self._peer_intake.listen(now)
        self._release(news)
        return news

    def _release(self, news: News) -> None:
        """Release attempts that another writer manages now: we must have seemed dead."""
        if not news.taken_over:
            return
        idents = {(active.launch.run.name, active.launch.number): ident for ident, active in self._active.items()}
        for run, number in news.taken_over:
            ident = idents.pop((run, number), None)
            if ident is not None:
                log.warning('%s was taken over by another hpsearch', run)
                self.backend.forget(ident, self._clock())
                self._postponed.pop(ident, None)
                self._drop(ident)

    # What becomes of them

    def collect(self, now: float) -> Collected:
        """Take in what the backend knows of them. An end that cannot be taken in now is taken in later."""
        self._echo.pump()
        if self._metrics is not None:
            self._metrics.poll(self._active.values(), now)
        self._cancel_needless(now)
        found = self.backend.states(now)
        self._note_unknown(found)
        statuses = {**self._due_again(now), **found}
        ended = [completion for ident, status in statuses.items() for completion in self._take_in(ident, status, now)]
        trouble = next((each.pauses.problem for each in self._postponed.values()), '')
        reported = [status for status in statuses.values() if status.problem]
        running = next((status.problem for status in reported if status.kind is JobState.RUNNING), '')
        problem = next((status.problem for status in reported if status.kind is not JobState.RUNNING), '')
        return Collected(ended, trouble or running, problem)

    def _due_again(self, now: float) -> dict[str, AttemptStatus]:
        return {ident: each.status for ident, each in self._postponed.items() if each.pauses.is_over(now)}

    def _take_in(self, ident: str, status: AttemptStatus, now: float) -> list[Completion]:
        """Take in the status of an attempt; returns its end, if that is what it is."""
        active = self._active[ident]
        if status.kind is not JobState.ENDED:
            self._follow(active, status, now)
            return []
        if ident not in self._postponed:
            self._see_job(active)
        try:
            ended = self._end(active, status, now)
        except OSError as error:
            why = f'what {active.launch.run.name} left cannot be read: {trouble_in_words(error)}'
            postponed = self._postponed.setdefault(ident, _Postponed(status, now))
            postponed.pauses.fail(why, now)
            if now - postponed.since < UNREADABLE_PATIENCE:
                return []
            ended = [self._intake.lose(active, why, now)]
        self._postponed.pop(ident, None)
        self._drop(ident)
        self._echo.end(ident)
        return ended

    def _cancel_needless(self, now: float) -> None:
        """Cancel what waits in a queue although an earlier attempt has finished: its record may have appeared late."""
        if now < self._next_look:
            return
        self._next_look = now + LATE_INTERVAL
        waiting = [each for each in self._active.values() if each.in_queue and not each.is_running]
        repeated = [each for each in waiting if each.launch.number > 1]
        begin = self._looked_at if self._looked_at < len(repeated) else 0
        self._looked_at = begin + LATE_LOOKS
        needless = [each for each in repeated[begin : self._looked_at] if self._is_needless(each)]
        for active in needless:
            active.stop_reason = 'an earlier attempt has finished'
            log.info('%s is not run again: %s', active.launch.run.name, active.stop_reason)
        if needless:
            self.backend.cancel([active.launch.ident for active in needless], force=False)

    def _is_needless(self, active: ActiveAttempt) -> bool:
        if active.stop_reason:
            return False
        try:
            self._intake.has_late_record(active.launch.run)
        except OSError as error:
            log.debug('%s: %s', active.launch.run.name, error)
        return self._search.state.state_of(active.launch.run.name) is State.FINISHED

    def _note_unknown(self, statuses: Mapping[str, AttemptStatus]) -> None:
        """Nothing can be done about attempts that their queue has lost sight of, except to wait."""
        lost = []
        for ident, status in statuses.items():
            active = self._active[ident]
            is_unknown = active.in_queue and status.kind is JobState.UNKNOWN
            lost += [(active, status)] if is_unknown and not active.is_unknown else []
            active.is_unknown = is_unknown
        if lost:
            name, detail, folder = lost[0][0].launch.run.name, lost[0][1].detail, self._search.folder.path
            more = f' and {len(lost) - 1} more' if len(lost) > 1 else ''
            log.warning(
                '%s%s: %s. It is not run again before its time limit has passed. '
                'If nothing runs there any more: hpsearch resume %s --host_is_dead=HOST',
                name, more, detail, folder,
            )  # fmt: skip

    def _follow(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> None:
        """Take in how an attempt goes on; how far it has come is recorded until it runs."""
        active.measured = status.measured
        if active.is_running:
            return
        run, number, recorder = active.launch.run.name, active.launch.number, self._search.recorder
        if active.in_queue and status.kind in (JobState.PENDING, JobState.RUNNING) and not active.is_submitted:
            active.is_submitted = True
            recorder.record('submitted', run, number)
        if status.kind is JobState.RUNNING:
            self._see_job(active)
            active.is_running, active.since = True, now
            where: dict[str, Any] = {'where': status.detail} if active.in_queue else {'handle': status.handle}
            node = status.node if active.in_queue else self._search.options.node
            recorder.record('running', run, number, **where, **({'node': node} if node else {}))

    def _see_job(self, active: ActiveAttempt) -> None:
        if active.in_queue and not active.is_running:
            self._job_started(active.launch.run.name, active.launch.number)

    def _end(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> list[Completion]:
        if active.launch.ident not in self._postponed:
            self._notice_a_common_end(active, status)
        return [] if self._is_over(active, status) else [self._intake.end(active, status, now)]

    def _notice_a_common_end(self, active: ActiveAttempt, status: AttemptStatus) -> None:
        """Notice that a run was asked to end together with us: a queue ends all processes of a job, in any order."""
        if not (self._search.options.is_in_job and status.code) or active.stop_reason:
            return
        limit = self._clock() + IN_JOB_PATIENCE
        while status.code == ENDED_BY_TERM and not self._requests.stops and (left := limit - self._clock()) > 0:
            self.backend.wait(left)
        if self._requests.stops:
            active.stop_reason = self._search.options.stop_reason

    def _is_over(self, active: ActiveAttempt, status: AttemptStatus) -> bool:
        """Whether an attempt of ours that could not start was ended by another writer, to whom we seemed dead."""
        attempt = active.journaled(self._search.state)
        return status.cause == 'fenced' and attempt is not None and attempt.state in ENDED

    def judge_places(self, wall: float) -> JudgedPlaces:
        """The places in which runs fail while they do not elsewhere; ``wall``: wall-clock seconds."""
        return _judge_places(self._search, wall)

    # Stopping them

    def prune(self, now: float) -> None:
        """Stop attempts that were cancelled, those whose metrics are not good enough, and those that make room."""
        self._cancelling.step(self._active.values(), now)
        self._pruning.step(self._active.values(), now)
        self._yielding.step(self._active.values(), now)

    def stop_early(self, why: str) -> None:
        """Journal that all attempts are to be stopped but those that users asked for; :meth:`prune` does it."""
        recorder, state = self._search.recorder, self._search.state
        for active in self._active.values():
            run, number = active.launch.run.name, active.launch.number
            attempt = active.journaled(state)
            if attempt is not None and not attempt.pruned and not state.runs[run].was_asked_for(number):
                recorder.record_now('pruned', run, number, step=max(state.curves.of(run), default=0), reason=why)

    def cancel(self, why: str) -> None:
        """Ask all attempts to end, once: one that was asked already may be writing a checkpoint."""
        unasked = [active for active in self._active.values() if not active.stop_reason]
        for active in unasked:
            active.stop_reason = why
        self.backend.cancel([active.launch.ident for active in unasked], force=False)

    def kill(self) -> None:
        """Kill all attempts."""
        self.backend.cancel(tuple(self._active), force=True)


class PilotStrategy:
    """Keeps as many pilots at work as are wanted; what they do is in their own journals."""

    def __init__(self, search: SearchContext, backend: PilotBackend, peer_intake: PeerIntake) -> None:
        self.backend = backend
        self.attempts: Collection[ActiveAttempt] = ()
        self._search = search
        self._peer_intake = peer_intake

    def listen(self, now: float) -> News:
        """Take in what pilots and other writers report."""
        return self._peer_intake.listen(now)

    def collect(self, now: float) -> Collected:
        """Take in what became of the pilots; no attempts are ours."""
        self.backend.step(self._workload(), now)
        return Collected()

    def stop_early(self, why: str) -> None:
        """Pilots stop their own attempts."""

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """Take care of what pilots left behind."""
        return self._peer_intake.recover(now, may_judge=may_judge)

    def admit(self, now: float) -> Admitted:
        """Submit the pilots that are missing."""
        placement = self.backend.keep(self._workload(), now)
        return Admitted(waiting=why_waiting(placement), refused=why_refused(placement))

    def prune(self, now: float) -> None:
        """Nothing: pilots stop their own attempts."""

    def judge_places(self, wall: float) -> JudgedPlaces:
        """The places in which runs, or pilots, fail while they do not elsewhere; ``wall``: wall-clock seconds."""
        judged = _judge_places(self._search, wall)
        return replace(judged, bad={**judged.bad, **self.backend.bad_nodes()})

    def _workload(self) -> Workload:
        pending = self._search.pending
        # A run that is promoted is not counted before that.
        return Workload(max(pending.wanted, int(bool(pending))), self._search.state.started)

    def cancel(self, why: str) -> None:
        """Ask the pilots to end: they end their runs."""
        self.backend.cancel(force=False)

    def kill(self) -> None:
        """Kill the pilots."""
        self.backend.cancel(force=True)


Strategy = AttemptStrategy | PilotStrategy


def _judge_places(search: SearchContext, wall: float) -> JudgedPlaces:
    """If no other node is known, the queue is asked whether there are others; a process in a job cannot do that."""
    state, is_in_queue = search.state, search.options.in_queue
    ages = running_ages(_running_in_sight(search), wall)
    bad = bad_places(state.ended_in_places, ages, even_alone=is_in_queue)
    suspects = bad_places(state.ended_in_places, dict.fromkeys(ages, math.inf), even_alone=is_in_queue)
    return JudgedPlaces(bad, frozenset(suspects), frozenset(ages))


def _running_in_sight(search: SearchContext) -> list[Attempt]:
    """What runs on GPUs of another host may have ended long ago, for all we know."""
    running, host = search.state.running_in_places.values(), host_of(search.writer)
    return [attempt for attempt in running if attempt.node or host_of(attempt.owner) == host]
