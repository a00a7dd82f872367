"""The loop of a search: take in what ended, fill the slots that are open, wait for an event.

Every decision is made by a pure module; every fact goes through the journal before it is acted upon.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from hpsearch import attempt as attempts
from hpsearch.backends.base import Backend, Kind, Launch, Started, Status
from hpsearch.command import shell_line
from hpsearch.folder import SearchFolder
from hpsearch.follow import Follower
from hpsearch.journal import Journal
from hpsearch.outcome import Verdict, failure_signature, judge, same_failure
from hpsearch.records import Configuration, Run, RunLine, Slot, Snapshot
from hpsearch.results import ResultsView, Row, best, row_of
from hpsearch.retries import RetryPolicy, again
from hpsearch.states import SearchState, State
from hpsearch.summary import read_summary

log = logging.getLogger('hpsearch')

TICK = 1.0
"""Seconds the loop waits at most; events end the wait."""

ECHO_TICK = 0.1
"""The same while the output of a run is shown on the terminal."""

PAUSE = 5.0
"""Seconds before another try when something of the machine (disk, processes) is in the way."""

BEAT_INTERVAL = 10.0
SYNC_INTERVAL = 1.0
SHOW_INTERVAL = 0.25


class Shows(Protocol):
    """What the dispatcher needs of a view."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the search as it stands."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Show what a run wrote."""

    def end_output(self) -> None:
        """That run has ended: its last line is complete."""


@dataclass(frozen=True)
class Options:
    """How a search is worked on.

    Attributes:
        fail_fast: Stop when the first so many ended attempts failed alike; 0: never.
        grace: Seconds between TERM and KILL for runs that are stopped.
        retry: Which runs get another attempt.
        echo: Whether the output of a run is shown on the terminal, too.
    """

    fail_fast: int = 5
    grace: float = 15.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    echo: bool = False


@dataclass(slots=True)
class Active:
    """An attempt that is under way."""

    launch: Launch
    since: float
    queued: bool = False
    stop_reason: str = ''
    follower: Follower | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """An attempt that ended, for the work that can wait until the next run was started."""

    run: Run
    number: int
    verdict: Verdict
    row: Row


@dataclass(frozen=True)
class Outcome:
    """How the work on a search ended.

    Attributes:
        interrupted: Whether it was stopped before its end.
        failed_fast: What the first attempts failed with alike, or empty.
        example: The first run that failed so, or None.
    """

    interrupted: bool = False
    failed_fast: str = ''
    example: Run | None = None


class Backlog:
    """The runs that wait, read from the plan only when they are needed.

    Args:
        runs: Planned runs, in their order.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs: Iterator[Run] = iter(runs)
        self._returned: deque[Run] = deque()
        self._is_over = False

    def take(self) -> Run | None:
        """The next run, or None when there is none."""
        if self._returned:
            return self._returned.popleft()
        run = None if self._is_over else next(self._runs, None)
        self._is_over = run is None
        return run

    def put_first(self, run: Run) -> None:
        """Give back a run that was taken but not started."""
        self._returned.appendleft(run)

    def put_last(self, run: Run) -> None:
        """Plan a run again, after the others that were given back."""
        self._returned.append(run)

    def __bool__(self) -> bool:
        run = self.take()
        if run is not None:
            self.put_first(run)
        return run is not None


class Dispatcher:
    """Works on a search until nothing is left to do.

    Args:
        folder: The search.
        configuration: How its results are read.
        runs: The runs to be started, in order.
        total: Number of runs of the plan.
        state: What the journals say so far.
        journal: The journal of this process.
        backend: Where attempts execute.
        results: The table.
        view: Shows the search.
        options: How it is worked on.
        stops: How often a stop was asked for (0, 1: in order, more: at once).
        clock: Monotonic seconds.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        *,
        folder: SearchFolder,
        configuration: Configuration,
        runs: Iterable[Run],
        total: int,
        state: SearchState,
        journal: Journal,
        backend: Backend,
        results: ResultsView,
        view: Shows,
        options: Options,
        stops: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.configuration = configuration
        self.backlog = Backlog(runs)
        self.total = total
        self.state = state
        self.journal = journal
        self.backend = backend
        self.results = results
        self.view = view
        self.options = options
        self._stops = stops
        self._clock = clock
        self._wall = wall
        self._varying = tuple(option for option, values in configuration.grid.items() if len(values) > 1)
        self._active: dict[str, Active] = {}
        self._endings: list[Ending] = []
        self._counts: Counter[State] = Counter(history.state for history in state.runs.values())
        self._begin = clock()
        self._stop_reason = ''
        self._kill_at = 0.0
        self._forced = False
        self._paused_until = 0.0
        self._waiting = ''
        self._failures: list[str | None] = []
        self._first_failed: Run | None = None
        self._failed_fast = ''
        self._best: Row | None = next(iter(results.best(1)), None)
        self._ended_count = 0
        self._ended_seconds = 0.0
        self._most_active = 1
        self._shown = -SHOW_INTERVAL
        self._synced = self._begin
        self._beaten = self._begin - BEAT_INTERVAL

    def run(self) -> Outcome:
        """Work until every run has ended, or until a stop was obeyed."""
        while self._step(self._clock()):
            self.backend.wait(self._patience())
        self._tidy()
        self._rebuild_results()
        self.journal.flush()
        self.journal.sync()
        self.view.update(self.snapshot(self._clock()))
        interrupted = bool(self._stop_reason) and not self._failed_fast
        return Outcome(interrupted, self._failed_fast, self._first_failed)

    def _step(self, now: float) -> bool:
        """One round; says whether there is more to do."""
        ended = self._take_in(now)
        self._obey(now)
        started = self._admit(now)
        self._tidy()
        self._housekeeping(now)
        self._show(now, changed=ended or started)
        return bool(self._active) or bool(not self._stop_reason and self.backlog)

    # What ended

    def _take_in(self, now: float) -> bool:
        ended = False
        for ident, status in self.backend.states(now).items():
            active = self._active[ident]
            if active.follower:
                active.follower.pump()
            if status.kind is Kind.ENDED:
                self._end(active, status, now)
                ended = True
            elif status.kind is Kind.RUNNING and active.queued:
                active.queued, active.since = False, now
                self._record('running', active.launch, where=status.detail)
        return ended

    def _end(self, active: Active, status: Status, now: float) -> None:
        launch = active.launch
        run = launch.run
        summary = read_summary(self.folder.output(run.name), self.configuration, run.number)
        verdict = judge(
            status.code,
            status.cause,
            status.detail,
            summary,
            wants_summary=self._wants_summary,
            stop_reason=active.stop_reason,
        )
        seconds = round(now - active.since, 3)
        failure = self._failure_of(verdict, launch)
        self._record(
            'ended',
            launch,
            state=verdict.state.value,
            code=status.code,
            cause=verdict.cause,
            reason=verdict.reason,
            summary=dict(summary.values),
            seconds=seconds,
            **({'peak_memory': status.peak_memory} if status.peak_memory else {}),
            **({'failure': failure} if failure else {}),
        )
        self._forget(active, seconds)
        self._endings.append(Ending(run, launch.number, verdict, self._row(run, verdict, summary.values, seconds)))
        self._plan_again(run)
        self._check_fail_fast(failure, run)

    @property
    def _wants_summary(self) -> bool:
        return self.configuration.summary_filename is not None

    def _failure_of(self, verdict: Verdict, launch: Launch) -> str | None:
        if verdict.state is not State.FAILED:
            return None
        stderr = attempts.tail(self.folder.attempt(launch.run.name, launch.number).stderr)
        return failure_signature(stderr, verdict.reason, launch.run)

    def _row(self, run: Run, verdict: Verdict, values: Any, seconds: float) -> Row:
        output = self.folder.output(run.name)
        out_arg = self.configuration.out_arg
        return row_of(run, output, out_arg, values, verdict.state.value, verdict.reason, seconds)

    def _forget(self, active: Active, seconds: float) -> None:
        del self._active[active.launch.ident]
        self._ended_count += 1
        self._ended_seconds += seconds
        if active.follower:
            active.follower.finish()
            self.view.end_output()

    def _plan_again(self, run: Run) -> None:
        why = again(self.state.runs[run.name].attempts, self.options.retry)
        if why and not self._stop_reason:
            log.info('%s is planned again: %s', run.name, why)
            self.backlog.put_last(run)

    def _check_fail_fast(self, failure: str | None, run: Run) -> None:
        if len(self._failures) >= self.options.fail_fast:
            return
        self._failures.append(failure)
        self._first_failed = self._first_failed or (run if failure is not None else None)
        self._failed_fast = same_failure(self._failures, self.options.fail_fast)

    # Stopping

    def _obey(self, now: float) -> None:
        asked = self._stops()
        if not self._stop_reason and (asked or self._failed_fast):
            self._begin_stop('stopped by the user' if asked else 'the first runs all failed alike', now)
        if self._stop_reason and self._active and not self._forced and (asked > 1 or now >= self._kill_at):
            self._forced = True
            self._note('killing', runs=[active.launch.run.name for active in self._active.values()])
            self.backend.cancel(tuple(self._active), force=True)

    def _begin_stop(self, reason: str, now: float) -> None:
        self._stop_reason = reason
        self._kill_at = now + self.options.grace
        self._note('stopping', reason=reason)
        for active in self._active.values():
            active.stop_reason = reason
        log.warning('%s: ending %d run(s), no more are started', reason, len(self._active))
        self.backend.cancel(tuple(self._active), force=False)

    # What starts

    def _admit(self, now: float) -> bool:
        started = False
        while not self._stop_reason and now >= self._paused_until and self.backlog:
            placement = self.backend.open_slots(now)
            launches = self._claim(placement.slots)
            self._waiting = '' if launches or self._paused_until > now else _why_waiting(placement.closed)
            if not launches:
                break
            self._start(launches, now)
            started = True
        return started

    def _claim(self, slots: Sequence[Slot]) -> list[Launch]:
        launches: list[Launch] = []
        if self.journal.blocked and not self.journal.flush():
            self._pause(self.journal.blocked)
            return launches
        for slot in slots:
            launch = self._claim_next(slot)
            if launch is None:
                break
            launches.append(launch)
        return launches

    def _claim_next(self, slot: Slot) -> Launch | None:
        while (run := self.backlog.take()) is not None:
            history = self.state.runs.get(run.name)
            number = history.last.number + 1 if history and history.last else 1
            try:
                is_ours = attempts.claim(self.folder, run.name, number, self.journal.writer)
            except OSError as error:
                self.backlog.put_first(run)
                self._pause(f'the search folder cannot be written: {error.strerror}')
                return None
            if is_ours:
                return Launch(run, number, attempts.attempt_id(self.journal.writer, run.name, number), slot)
            log.info('%s is worked on by somebody else', run.name)
        return None

    def _start(self, launches: Sequence[Launch], now: float) -> None:
        for launch in launches:
            self._record('claimed', launch, gpus=launch.slot.gpus, at=round(self._wall(), 3))
        for launch, started in zip(launches, self.backend.start(launches, now), strict=True):
            self._started(launch, started, now)
        self._most_active = max(self._most_active, len(self._active))

    def _started(self, launch: Launch, started: Started, now: float) -> None:
        if started.handle is None:
            reason = started.problem
            self._record('ended', launch, state=State.INTERRUPTED.value, cause='start', reason=reason)
            self.backlog.put_first(launch.run)
            self._pause(reason)
            return
        active = Active(launch, now, started.queued)
        self._active[launch.ident] = active
        self._record('submitted' if started.queued else 'running', launch, handle=started.handle)
        log.debug('%s started%s', launch.run.name, f' on GPU {",".join(launch.slot.gpus)}' if launch.slot.gpus else '')
        if self.options.echo:
            active.follower = self._follow(launch)

    def _follow(self, launch: Launch) -> Follower:
        paths = self.folder.attempt(launch.run.name, launch.number)
        log.info('%s: %s', launch.run.name, shell_line(launch.run.argv))
        return Follower({'stdout': paths.stdout, 'stderr': paths.stderr}, self.view.output)

    def _pause(self, reason: str) -> None:
        if self._waiting != reason:
            log.warning('no run is started: %s', reason)
        self._waiting = reason
        self._paused_until = self._clock() + PAUSE

    # The journal

    def _record(self, kind: str, launch: Launch, **facts: Any) -> None:
        """Journal one event of an attempt and fold it, in this order."""
        event = {'event': kind, 'run': launch.run.name, 'attempt': launch.number, **facts}
        before = self.state.runs.get(launch.run.name)
        if before is not None:
            self._counts[before.state] -= 1
        self.journal.append(event)
        self.state.fold(self.journal.writer, event)
        self._counts[self.state.state_of(launch.run.name)] += 1

    def _note(self, kind: str, **facts: Any) -> None:
        """Journal an event that concerns no attempt."""
        self.journal.append({'event': kind, 'at': round(self._wall(), 3), **facts})

    # What can wait until the slots are filled

    def _tidy(self) -> None:
        for ending in self._endings:
            self._show_logs(ending)
            self.results.put(ending.row)
            self._best = self._better(ending.row)
            self._tell(ending)
        self._endings.clear()

    def _better(self, row: Row) -> Row | None:
        candidates = [row] if self._best is None else [self._best, row]
        return next(iter(best(candidates, self.results.key, self.results.ascending)), None)

    def _show_logs(self, ending: Ending) -> None:
        run = ending.run
        try:
            attempts.show_logs_in_output(
                self.folder, run.name, ending.number, shell_line(run.argv), self.configuration.out_arg is not None
            )
        except OSError as error:
            log.warning('%s: its logs could not be put into its output folder: %s', run.name, error.strerror)

    def _tell(self, ending: Ending) -> None:
        verdict, row = ending.verdict, ending.row
        if verdict.state is State.FINISHED:
            performance = row.values.get(self.results.key or '', '')
            shown = f', {self.results.key} {performance}' if performance else ''
            log.info('%s finished in %.1f s%s%s', row.name, row.seconds, shown, _in_brackets(verdict.reason))
        else:
            log.warning('%s %s: %s', row.name, verdict.state, verdict.reason)

    def _housekeeping(self, now: float) -> None:
        if now - self._synced >= SYNC_INTERVAL:
            self.journal.flush()
            self.journal.sync()
            self._synced = now
        if now - self._beaten >= BEAT_INTERVAL:
            self._beaten = now
            self._beat(now)
        if self.results.due(now):
            self._rebuild_results()

    def _beat(self, now: float) -> None:
        gpus = [asdict(line) for line in self.backend.gpu_lines(now)]
        try:
            self.journal.beat({'at': round(self._wall(), 3), 'waiting': self._waiting, 'gpus': gpus})
        except OSError as error:
            self._pause(f'the search folder cannot be written: {error.strerror}')

    def _rebuild_results(self) -> None:
        try:
            self.results.rebuild()
        except OSError as error:
            log.warning('%s could not be written: %s', self.results.path, error.strerror)

    def _patience(self) -> float:
        return ECHO_TICK if self.options.echo and self._active else TICK

    # What is shown

    def _show(self, now: float, *, changed: bool) -> None:
        if now - self._shown >= (SHOW_INTERVAL if changed else TICK):
            self._shown = now
            self.view.update(self.snapshot(now))

    def snapshot(self, now: float) -> Snapshot:
        """The search as it stands."""
        counts = {state.value: count for state, count in self._counts.items() if count}
        counts['planned'] = counts.get('planned', 0) + self.total - sum(self._counts.values())
        return Snapshot(
            folder=str(self.folder.path),
            total=self.total,
            counts=counts,
            elapsed=now - self._begin,
            eta=self._eta(now, counts['planned']),
            gpus=self.backend.gpu_lines(now),
            running=[self._run_line(active, now) for active in self._active.values()],
            best=self._best_shown(),
            performance_key=self.results.key,
            waiting=self._waiting,
            varying=self._varying,
        )

    def _eta(self, now: float, planned: int) -> float | None:
        if not self._ended_count:
            return None
        mean = self._ended_seconds / self._ended_count
        left = sum(max(0.0, mean - (now - active.since)) for active in self._active.values())
        return (planned * mean + left) / self._most_active

    def _run_line(self, active: Active, now: float) -> RunLine:
        gpus = active.launch.slot.gpus
        return RunLine(active.launch.run.name, now - active.since, f'GPU {",".join(gpus)}' if gpus else '')

    def _best_shown(self) -> tuple[str, dict[str, Any], str] | None:
        row = self._best
        if row is None or self.results.key is None:
            return None
        return row.name, dict(row.params), row.values.get(self.results.key, '')


def _why_waiting(closed: Any) -> str:
    return '; '.join(f'GPU {name}: {reason}' for name, reason in closed.items())


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
