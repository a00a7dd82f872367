"""The loop of a search: take in what ended, fill the slots that are open, wait for an event.

Every decision is made by a pure module; every fact goes through the journal before it is acted upon. Several
dispatchers may work on one search: claims and the start fence keep them apart, the journals tell each of the others.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hpsearch.backends.base import AttemptStatus, Backend, Launch, LaunchResult
from hpsearch.dispatch.claims import Claims
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.dispatch.heartbeat import Heartbeat
from hpsearch.dispatch.peers import OrphanedAttempt, Peers
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.dispatch.progress import Progress
from hpsearch.dispatch.shutdown import FailFast, Shutdown, Stop
from hpsearch.host.memory import kernel_oom_kills
from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import JournalError
from hpsearch.model.evidence import Action
from hpsearch.model.jobs import JobState
from hpsearch.model.resources import GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.snapshot import Snapshot
from hpsearch.model.states import ACTIVE, ENDED, TIMEOUT, Attempt, SearchState, State
from hpsearch.model.time_limit import was_whole_job
from hpsearch.store import attempt_files as attempts
from hpsearch.store.completion import NEVER_STARTED, Completion, CompletionReader, EndReport
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from hpsearch.store.log_tail import LogTail
from hpsearch.store.results import ResultsView, Row

log = logging.getLogger('hpsearch')

TICK = 1.0
"""Seconds the loop waits at most; events end the wait."""

ECHO_TICK = 0.1
"""The same while the output of a run is shown on the terminal."""

PAUSE = 5.0
"""Seconds before another try when something of the machine (disk, processes) is in the way."""

GAP = 5.0
"""Seconds since the last round after which we may have been asleep: others are listened to before anything else."""

PROVENANCE_PATIENCE = 5.0
"""Seconds the end of a search waits for what is still being found out about its code and packages."""

TOLD_TO_END = 143
"""The raw status of who was ended by TERM."""

IN_JOB_PATIENCE = 2.0
"""Seconds after the end of a run by TERM in which we are told to end as well, if it was its job that was."""

NEWS_INTERVAL = 1.0
SHOW_INTERVAL = 0.25


class ShowsProgress(Protocol):
    """What the dispatcher needs of a view."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the search as it stands."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Show what a run wrote."""

    def end_output(self) -> None:
        """That run has ended: its last line is complete."""


class TracksProvenance(Protocol):
    """Finds out with which code the runs are made, beside the work."""

    @property
    def code(self) -> str:
        """The id of the code; empty before it is known."""

    def start(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """Begin, once; ``tell`` gets events for the journal, in another thread."""

    def check(self, now: float) -> None:
        """Have another look, if it is time."""

    def wait(self, timeout: float) -> bool:
        """Wait until the first event was told, at most ``timeout`` seconds."""


@dataclass(frozen=True)
class Options:
    """How a search is worked on.

    Attributes:
        fail_fast: Stop when the first so many ended attempts failed alike; 0: never.
        grace: Seconds between TERM and KILL for runs that are stopped.
        retry: Which runs get another attempt.
        echo: Whether the output of a run is shown on the terminal, too.
        waits_for_others: Whether to stay until the attempts of other writers have ended, too.
        only_submits: Whether to leave as soon as a queue has all it accepts.
        job_seconds: How long the queue job we work in lasts; None: in none, or it is not known.
        is_in_job: Whether our runs are in the same queue job as we are, so that both are told to end together.
    """

    fail_fast: int = 5
    grace: float = 15.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    echo: bool = False
    waits_for_others: bool = True
    only_submits: bool = False
    job_seconds: float | None = None
    is_in_job: bool = False


@dataclass(slots=True)
class ActiveAttempt:
    """An attempt that is under way.

    Attributes:
        launch: The attempt.
        since: When it was started, in monotonic seconds.
        in_queue: Whether it is a job of a queue, on some other host perhaps.
        is_submitted: Whether that queue has accepted it.
        is_running: Whether it is known to run.
        stop_reason: Why we asked it to end, or empty.
        follower: Shows its output, or None.
    """

    launch: Launch
    since: float
    in_queue: bool = False
    is_submitted: bool = False
    is_running: bool = True
    stop_reason: str = ''
    follower: LogTail | None = None


@dataclass(frozen=True)
class Outcome:
    """How the work on a search ended.

    Attributes:
        interrupted: Whether it was stopped before its end.
        failed_fast: What the first attempts failed with alike, or empty.
        example: The first run that failed so, or None.
        unknown: Runs that may still be under way on hosts that cannot be asked.
        left: How many jobs go on in a queue without us; None: we did not leave any.
        refused: Why a queue refused our jobs for good, in its own words, or empty.
    """

    interrupted: bool = False
    failed_fast: str = ''
    example: Run | None = None
    unknown: frozenset[str] = frozenset()
    left: int | None = None
    refused: str = ''


@dataclass(kw_only=True, eq=False)
class Dispatcher:
    """Works on a search until nothing is left to do.

    Args:
        folder: The search.
        configuration: How its results are read.
        runs: The runs to be started, in order.
        state: What the journals say so far.
        journal: The journal of this process.
        backend: Where attempts execute.
        others: The other writers.
        results: The table.
        progress: What is shown.
        view: Shows it.
        options: How it is worked on.
        stops: How often a stop was asked for (0, 1: in order, more: at once).
        leaves: Whether we are to leave while our jobs go on in a queue.
        lock: Held while runs are placed on this host.
        provenance: Finds out with which code the runs are made.
        afterwards: Called once, when the first runs have been started: what need not delay them.
        given_up: Runs that ended without success and are not run again.
        clock: Monotonic seconds.
        wall: Seconds since 1970, for people only.
    """

    folder: SearchFolder
    configuration: Configuration
    runs: Iterable[Run]
    state: SearchState
    journal: Journal
    backend: Backend
    others: Peers
    results: ResultsView
    progress: Progress
    view: ShowsProgress
    options: Options
    stops: Callable[[], int]
    leaves: Callable[[], bool]
    lock: Callable[[], AbstractContextManager[bool]]
    provenance: TracksProvenance
    afterwards: Callable[[], None]
    given_up: Iterable[str] = ()
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._books = EventRecorder(self.state, self.journal, self.progress, self.others, self.wall)
        self._backlog = PendingRuns(self.runs, self.state, self.options.retry, self.given_up)
        self._endings = CompletionReader(self.folder, self.configuration)
        self._upkeep = Heartbeat(self.journal, self._books, self.backend, self.results, self.wall)
        self._claims = Claims(
            folder=self.folder,
            configuration=self.configuration,
            state=self.state,
            backlog=self._backlog,
            journal=self.journal,
            books=self._books,
            others=self.others,
            around=self._circumstances,
            pause=self._pause,
            clock=self.clock,
            wall=self.wall,
        )
        self._active: dict[str, ActiveAttempt] = {}
        self._ended: list[Completion] = []
        self._stopping = Shutdown()
        self._fail_fast = FailFast(self.options.fail_fast)
        self._has_started = False
        self._is_leaving = False
        self._refused = ''
        self._waiting = ''
        self._paused_until = 0.0
        self._last_round = self.clock()
        self._shown = self._listened = float('-inf')

    @property
    def waiting(self) -> int:
        """How many runs wait to be started, those that are run again included."""
        return max(0, self.progress.idle - len(self._backlog.given_up))

    def run(self) -> Outcome:
        """Work until every run has ended, or until a stop was obeyed."""
        while self._step(self.clock()):
            self.backend.wait(self._patience())
        self._tidy()
        self._finish_table()
        if self._has_started:
            self.provenance.wait(PROVENANCE_PATIENCE)
        self._keep_up(self.clock())
        self.journal.sync()
        self._show(self.clock(), changed=True, now_or_never=True)
        interrupted = self._stopping.done is not Stop.NO and not self._fail_fast.signature
        left = len(self._active) if self._is_leaving else None
        fast = self._fail_fast
        return Outcome(interrupted, fast.signature, fast.example, self.others.unknown, left, self._refused)

    def _step(self, now: float) -> bool:
        """One round; says whether there is more to do."""
        if now - self._last_round > GAP or now - self._listened >= NEWS_INTERVAL:
            self._listen(now)
        self._last_round = now
        ended = self._take_in(now)
        self._inherit(now)
        self._obey(now)
        if self.options.echo:
            self._tidy()  # what ended is told before the next one's output begins
        started = self._admit(now)
        self._is_leaving = self.leaves() or self._is_impatient() or self._has_submitted(started)
        self.afterwards()
        self.afterwards = _nothing
        self._tidy()
        self._keep_up(now)
        self._show(now, changed=ended or started)
        return self._has_more_to_do()

    def _is_impatient(self) -> bool:
        """Whether the user does not even wait for a queue to end what it was told to end."""
        return self.stops() > 2 and any(active.in_queue for active in self._active.values())

    def _has_submitted(self, started: bool) -> bool:
        return self.options.only_submits and not started and self.backend.is_settled()

    def _has_more_to_do(self) -> bool:
        if self._is_leaving:
            return False
        if self._active or self._stopping.done is not Stop.NO:
            return bool(self._active) or not self.backend.is_settled()
        if self._backlog:
            return True
        return self.options.waits_for_others and self.others.are_worth_waiting_for

    # What others report

    def _listen(self, now: float) -> None:
        self._listened = now
        try:
            for writer, event in self.others.news():
                self._hear(writer, event)
        except JournalError as error:
            self._pause(str(error))

    def _hear(self, writer: str, event: Mapping[str, Any]) -> None:
        if event['event'] == 'stop':
            self._be_asked(Stop.DRAIN if event.get('drain') else Stop.TERM, 'stopped by hpsearch stop')
            return
        self._books.hear(writer, event)
        run = event.get('run')
        if run not in self.state.runs:
            return
        if event['event'] == 'adopted':
            self._give_up(run, event.get('attempt', 0))
        elif event['event'] == 'ended':
            self._hear_of_an_end(run)

    def _give_up(self, run: str, number: int) -> None:
        """Somebody else looks after an attempt of ours: we must have seemed dead."""
        attempt = self.state.attempt_of(run, number)
        if attempt is None or attempt.owner == self.journal.writer:
            return
        for ident, active in list(self._active.items()):
            if (active.launch.run.name, active.launch.number) == (run, number):
                log.warning('%s was taken over by another hpsearch', run)
                self.backend.forget(ident, self.clock())
                del self._active[ident]

    def _hear_of_an_end(self, name: str) -> None:
        run = self.folder.find_run(name)
        attempt = self.state.runs[name].deciding
        if run is None or attempt is None or attempt.state in ACTIVE:
            return
        self._put(self._endings.row(run, attempt))
        self._plan_again(run)

    def _put(self, row: Row) -> None:
        self.results.put(row)
        self.progress.result(row)

    # What others left behind

    def _inherit(self, now: float) -> None:
        may_judge = self._upkeep.can_write and not self.journal.blocked
        try:
            for found in self.others.abandoned(now, may_judge=may_judge):
                run = self.folder.find_run(found.attempt.run)
                if run is not None:
                    self._take_over(found, run, now)
        except OSError as error:
            self._pause(f'the search folder cannot be read: {error.strerror}')

    def _take_over(self, found: OrphanedAttempt, run: Run, now: float) -> None:
        attempt = found.attempt
        resources = ResourceRequest(alone=attempt.exclusive, alone_on_host=attempt.alone_on_host, memory=attempt.memory)
        launch = Launch(run, attempt.number, found.ident, Slot(attempt.gpus), resources)
        active = ActiveAttempt(launch, now - found.age)
        in_queue = attempt.is_in_queue
        match found.action:
            case Action.ADOPT:
                queued = in_queue and attempt.state is not State.RUNNING
                facts = {'queued': True} if queued else {}
                self._record('adopted', launch, generation=attempt.generation + 1, **facts)
                self.backend.adopt(launch, self._handle(found), found.age, now)
                self._active[launch.ident] = replace(
                    active, in_queue=in_queue, is_submitted=True, is_running=not queued
                )
                where = 'is in the queue' if queued else 'runs'
                log.info('%s %s already, started by an earlier hpsearch', run.name, where)
            case Action.FENCE:
                paths = self.folder.attempt(run.name, attempt.number)
                if attempts.close_fence(paths, self.journal.writer) or self.others.is_torn(attempt, now):
                    self._end(
                        active, AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been started'), now
                    )
            case _:
                self._end(active, AttemptStatus(JobState.ENDED, found.code, found.cause, found.detail), now)

    def _handle(self, found: OrphanedAttempt) -> dict[str, Any]:
        """What the backend knows an attempt by, with what is known of its submission."""
        submission = self.state.submissions.get(str(found.handle.get('submission', '')))
        known = {'at': submission.at, 'throttle': submission.throttle, 'job': submission.job} if submission else {}
        return {**known, **found.handle}

    # What ended

    def _take_in(self, now: float) -> bool:
        ended = False
        for ident, told in self.backend.states(now).items():
            active = self._active[ident]
            if active.follower:
                active.follower.pump()
            status = self._settle_absent(active, told) if told.kind is JobState.ABSENT else told
            if status.kind is JobState.ENDED:
                del self._active[ident]
                self._heed(active, status)
                if not self._is_over(active, status):
                    self._end(active, status, now)
                ended = True
            elif active.in_queue and not active.is_running:
                self._follow_in_queue(active, status, now)
        return ended

    def _heed(self, active: ActiveAttempt, status: AttemptStatus) -> None:
        """Notice that a run was told to end together with us: a queue ends all processes of a job, in any order."""
        if not (self.options.is_in_job and status.code) or active.stop_reason:
            return
        limit = self.clock() + IN_JOB_PATIENCE
        while status.code == TOLD_TO_END and not self.stops() and (left := limit - self.clock()) > 0:
            self.backend.wait(left)
        if self.stops():
            active.stop_reason = self._why_told()

    def _settle_absent(self, active: ActiveAttempt, status: AttemptStatus) -> AttemptStatus:
        """Nobody knows an attempt any more: it never starts, or if it has started, it is lost."""
        paths = self.folder.attempt(active.launch.run.name, active.launch.number)
        if attempts.close_fence(paths, self.journal.writer):
            return replace(status, kind=JobState.ENDED, cause='abandoned')
        return replace(status, kind=JobState.ENDED)

    def _follow_in_queue(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> None:
        if status.kind in (JobState.PENDING, JobState.RUNNING) and not active.is_submitted:
            active.is_submitted = True
            self._record('submitted', active.launch)
        if status.kind is JobState.RUNNING:
            active.is_running, active.since = True, now
            self._record('running', active.launch, where=status.detail)

    def _is_over(self, active: ActiveAttempt, status: AttemptStatus) -> bool:
        """Whether an attempt of ours that could not start was ended by somebody else, who thought us dead."""
        attempt = self.state.attempt_of(active.launch.run.name, active.launch.number)
        return status.cause == 'fenced' and attempt is not None and attempt.state in ENDED

    def _end(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> None:
        launch = active.launch
        run = launch.run
        told = self._told(active, status, now)
        ending = self._endings.judge(run, launch.number, self._attempts_of(run), told)
        if ending.verdict.state is not State.FINISHED and told.has_begun:
            # Before anybody can know of this end and start the run again, which must not find a folder of ours.
            self._endings.show_logs(run, launch.number)
        self._record('ended', launch, **ending.facts())
        self.progress.ended(told.seconds or 0.0)
        if active.follower:
            active.follower.finish()
            self.view.end_output()
        if status.cause not in NEVER_STARTED:
            self._ended.append(ending)
        if status.cause == 'refused':
            self._be_refused(status.detail)
        self._plan_again(run)
        if ending.verdict.state is not State.INTERRUPTED and self._fail_fast.is_met_by(ending.failure, run):
            self._be_asked(Stop.TERM, 'the first runs all failed alike')

    def _told(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> EndReport:
        """What we and the backend know of an end."""
        launch = active.launch
        seconds = round(now - active.since if status.seconds is None else status.seconds, 3)
        # Another job is no longer than this one: being stopped with it is the run's own time limit.
        is_timeout = bool(active.stop_reason) and self._had_a_whole_job(seconds)
        has_logs = os.path.exists(self.folder.attempt(launch.run.name, launch.number).stderr)
        return EndReport(
            code=status.code,
            cause=TIMEOUT if is_timeout else status.cause,
            detail=status.detail,
            seconds=seconds,
            has_begun=status.cause not in NEVER_STARTED and has_logs,
            stop_reason='' if is_timeout else active.stop_reason,
            oom_kills=self._oom_kills(active, status),
            room=lambda: status.room,
            peak_memory=status.peak_memory,
        )

    def _oom_kills(self, active: ActiveAttempt, status: AttemptStatus) -> tuple[int | None, int | None]:
        """The kernel's counts before and after an attempt; no first one where it may have been on another host."""
        attempt = self.state.attempt_of(active.launch.run.name, active.launch.number)
        is_here = attempt is not None and attempt.owner == self.journal.writer and not active.in_queue
        return (attempt.oom_kills or 0) if attempt and is_here else None, kernel_oom_kills() if status.code else None

    def _attempts_of(self, run: Run) -> Sequence[Attempt]:
        history = self.state.runs.get(run.name)
        return history.attempts if history else ()

    def _had_a_whole_job(self, seconds: float) -> bool:
        return self.options.job_seconds is not None and was_whole_job(seconds, self.options.job_seconds)

    def _be_refused(self, words: str) -> None:
        if not self._refused:
            self._refused = words
            self._be_asked(Stop.DRAIN, words)

    def _plan_again(self, run: Run) -> None:
        self._backlog.plan_again(run, may_start=self._stopping.done is Stop.NO)

    # Stopping

    def _be_asked(self, stop: Stop, why: str) -> None:
        if stop > self._stopping.asked:
            self._stopping.asked, self._stopping.why = stop, why

    def _obey(self, now: float) -> None:
        pressed = self.stops()
        if pressed:
            self._be_asked(Stop.KILL if pressed > 1 else Stop.TERM, self._why_told())
        if self._stopping.done is Stop.TERM and now >= self._stopping.kill_at:
            self._be_asked(Stop.KILL, self._stopping.why)
        for stop, act in ((Stop.DRAIN, self._drain), (Stop.TERM, self._terminate), (Stop.KILL, self._kill)):
            if self._stopping.done < stop <= self._stopping.asked:
                self._stopping.done = stop
                act(now)

    def _why_told(self) -> str:
        return 'stopped by the user' if self.options.job_seconds is None else 'the job it ran in was told to end'

    def _drain(self, now: float) -> None:
        if self._stopping.asked is Stop.DRAIN:
            self._books.note('draining', reason=self._stopping.why)
            log.warning('%s: %d runs may end, no more are started', self._stopping.why, len(self._active))

    def _terminate(self, now: float) -> None:
        self._stopping.kill_at = now + self.options.grace
        self._books.note('stopping', reason=self._stopping.why)
        for active in self._active.values():
            active.stop_reason = self._stopping.why
        log.warning('%s: ending %d runs, no more are started', self._stopping.why, len(self._active))
        self.backend.cancel(tuple(self._active), force=False)

    def _kill(self, now: float) -> None:
        if self._active:
            self._books.note('killing', runs=[active.launch.run.name for active in self._active.values()])
        self.backend.cancel(tuple(self._active), force=True)

    # What starts

    def _admit(self, now: float) -> bool:
        started = False
        while self._may_start(now):
            with self.lock() as is_ours:
                if not is_ours:
                    self._waiting = 'another hpsearch on this host is placing runs'
                    break
                self._listen(now)
                if not self._may_start(now):
                    break
                launches = self._fill(now)
            if not launches:
                break
            started = True
        return started

    def _may_start(self, now: float) -> bool:
        is_stopping = self._stopping.done is not Stop.NO or self._stopping.asked is not Stop.NO
        return not is_stopping and now >= self._paused_until and bool(self._backlog)

    def _fill(self, now: float) -> Sequence[Launch]:
        others = self.others.tenants(now)
        launches = self._claim_demanding(others, now)
        if not launches and self._backlog.has_ordinary:
            placement = self.backend.open_slots(now, others)
            launches = self._claims.claim(placement.slots)
            if placement.is_final:
                self._be_refused(placement.waiting)
            self._waiting = '' if launches or self._paused_until > now else _why_waiting(placement)
        if launches:
            self._start(launches, now)
        return launches

    def _claim_demanding(self, others: Sequence[GpuTenant], now: float) -> Sequence[Launch]:
        """The first of the runs that need more room than others, if there is room for it now, and those like it."""
        for run in self._backlog.demanding:
            resources = self._backlog.resources(run)
            impossible = '' if self.others.are_worth_waiting_for else self.backend.impossible(resources)
            if impossible:
                self._end_impossible(run, resources, impossible, now)
                return []
            placement = self.backend.open_slots(now, others, resources)
            self._waiting = _why_waiting(placement)
            if placement.slots:
                return self._claims.claim_demanding(self._alike(run, resources), placement.slots, resources)
        return []

    def _alike(self, run: Run, resources: ResourceRequest) -> Sequence[Run]:
        """A run, and those that need only more memory in a queue than others, all of them as much."""
        if resources != ResourceRequest(memory=resources.memory):
            return [run]
        return [each for each in self._backlog.demanding if self._backlog.resources(each) == resources]

    def _end_impossible(self, run: Run, resources: ResourceRequest, why: str, now: float) -> None:
        for launch in self._claims.claim_demanding([run], [Slot()], resources):
            self._end(ActiveAttempt(launch, now), AttemptStatus(JobState.ENDED, cause='impossible', detail=why), now)

    def _start(self, launches: Sequence[Launch], now: float) -> None:
        for launch, started in zip(launches, self.backend.start(launches, now), strict=True):
            self._started(launch, started, now)
        self.progress.active(len(self._running()))
        self.provenance.start(self._upkeep.find_out)
        self._has_started = True
        self.provenance.check(now)

    def _circumstances(self) -> Mapping[str, Any]:
        return {'oom_kills': self._upkeep.oom_kills, 'code_id': self.provenance.code}

    def _started(self, launch: Launch, started: LaunchResult, now: float) -> None:
        if started.handle is None:
            reason = started.problem
            attempts.close_fence(self.folder.attempt(launch.run.name, launch.number), self.journal.writer)
            self._record('ended', launch, state=State.INTERRUPTED.value, cause='start', reason=reason)
            self._backlog.put_first(launch.run)
            self._pause(reason)
            return
        active = ActiveAttempt(launch, now, in_queue=started.queued, is_running=not started.queued)
        self._active[launch.ident] = active
        if not started.queued:
            self._record('running', launch, handle=started.handle)
        log.debug('%s started%s', launch.run.name, f' on GPU {",".join(launch.slot.gpus)}' if launch.slot.gpus else '')
        if self.options.echo:
            active.follower = self._follow(launch)

    def _running(self) -> list[ActiveAttempt]:
        return [active for active in self._active.values() if active.is_running]

    def _follow(self, launch: Launch) -> LogTail:
        paths = self.folder.attempt(launch.run.name, launch.number)
        log.info('%s: %s', launch.run.name, shell_line(launch.run.argv))
        return LogTail({'stdout': paths.stdout, 'stderr': paths.stderr}, self.view.output)

    def _pause(self, reason: str) -> None:
        if self._waiting != reason:
            log.warning('no run is started: %s', reason)
        self._waiting = reason
        self._paused_until = self.clock() + PAUSE

    def _record(self, kind: str, launch: Launch, **facts: Any) -> None:
        self._books.record(kind, launch.run.name, launch.number, **facts)

    # What can wait until the slots are filled

    def _tidy(self) -> None:
        for ending in self._ended:
            verdict = ending.verdict
            if verdict.state is State.FINISHED:
                self._endings.show_logs(ending.run, ending.number)
            row = self._endings.row(ending.run, ending)
            self._put(row)
            self._tell(ending, row)
        self._ended.clear()

    def _tell(self, ending: Completion, row: Row) -> None:
        verdict = ending.verdict
        if verdict.state is State.FINISHED:
            performance = row.values.get(self.results.key or '', '')
            shown = f', {self.results.key} {performance}' if performance else ''
            log.info('%s finished in %.1f s%s%s', row.name, row.seconds, shown, _in_brackets(verdict.reason))
        else:
            log.warning('%s %s: %s', row.name, verdict.state, verdict.reason)

    def _keep_up(self, now: float) -> None:
        problem = self._upkeep.step(now, self._waiting)
        if problem:
            self._pause(problem)

    def _finish_table(self) -> None:
        """Write the table for the last time: of several that end together, the last one has what all of them told."""
        self._upkeep.write_table()
        self._listen(self.clock())
        if self.results.due(math.inf):
            self._upkeep.write_table()

    def _patience(self) -> float:
        return ECHO_TICK if self.options.echo and self._active else TICK

    def _show(self, now: float, *, changed: bool, now_or_never: bool = False) -> None:
        if now - self._shown >= (SHOW_INTERVAL if changed else TICK) or now_or_never:
            self._shown = now
            running = self._running()
            self.progress.active(len(running))
            since = {active.launch.run.name: (active.since, _where(active)) for active in running}
            gpus, queue = self.backend.gpu_lines(now), self.backend.queue_lines()
            self.view.update(self.progress.snapshot(now, since=since, gpus=gpus, waiting=self._waiting, queue=queue))


def _nothing() -> None:
    """What is left to do afterwards when it has been done."""


def _where(active: ActiveAttempt) -> str:
    gpus = active.launch.slot.gpus
    return f'GPU {",".join(gpus)}' if gpus else ''


def _why_waiting(placement: Placement) -> str:
    reasons = [f'GPU {name}: {reason}' for name, reason in placement.closed.items()]
    return '; '.join(filter(None, [placement.waiting, *reasons]))


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
