"""What the parts of the dispatcher share: options, the recorder of events, the search, an attempt under way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hpsearch.backends.base import Launch
from hpsearch.dispatch.adaptive.limits import Enough
from hpsearch.dispatch.adaptive.settings import AdaptiveSettings, PruneRule, PruneSettings
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.model.configuration import Configuration
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import JobTime, RetryPolicy
from hpsearch.model.states import STOP, Event, State
from hpsearch.model.trials.trial import Evaluation
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from hpsearch.store.results import ResultsView


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How this process works on a search.

    Attributes:
        in_queue: Whether its runs are jobs of a queue.
        is_in_job: Whether this process and its runs share one queue job, so that the queue ends both together.
        node: The node of a cluster this process and its runs are on; empty: none.
        job_time: The time of the queue job this process runs in; None: it is in none, or that is not known.
        fail_fast: Stop when the first so many attempts that ended failed alike; 0: never.
        stop_grace: Seconds between TERM and KILL for runs that are stopped.
        retry: Which runs get another attempt.
        only_submits: Leave as soon as the queue has accepted all it takes.
        echo: Show the output of the run on the terminal, too.
        code_column: Whether the table says which code each run had.
        measure_columns: Whether it says what each run used.
        waits_for_others: Stay until the attempts of other writers have ended, too.
        declared_dead: Names of hosts that the user declared dead.
        reread: Read the results of all runs that have ended again, at the beginning.
        reuse: Folders of earlier searches whose results are taken.
        learn_from: Folders of earlier searches that tell what runs need.
        stop_at_once: End what runs instead of starting anything.
        only: The runs that are looked after; all others are left as they are. None: all are looked after.
        adaptive: How runs are chosen while the search goes; None: they were all planned in advance.
        pruning: Which runs are stopped because of their metrics; None: none is.
    """

    in_queue: bool = False
    is_in_job: bool = False
    node: str = ''
    job_time: JobTime | None = None
    fail_fast: int = 5
    stop_grace: float = 15.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    only_submits: bool = False
    echo: bool = False
    code_column: bool = False
    measure_columns: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    reread: bool = False
    reuse: tuple[str, ...] = ()
    learn_from: tuple[str, ...] = ()
    stop_at_once: bool = False
    only: frozenset[str] | None = None
    adaptive: AdaptiveSettings | None = None
    pruning: PruneSettings | None = None

    @property
    def stop_reason(self) -> str:
        """Why runs are stopped when this process receives a signal, in words."""
        return 'stopped by the user' if self.job_time is None else 'the job it ran in was asked to end'


class EventRecorder:
    """Checks every event of a search, journals it, and folds it into the state, always in that order.

    Nothing else writes events to the journal of this process.

    Attributes:
        state: What all journals say.
        journal: The journal of this process.
        counts: Number of runs in each state; those without events, and those that are withdrawn, are in none.
        touched: Runs of which events were taken in; whoever brings something up to date by them clears it.
    """

    def __init__(self, state: SearchState, journal: Journal, wall: Callable[[], float] = time.time) -> None:
        self.state = state
        self.journal = journal
        self.counts: Counter[State] = Counter(history.state for history in state.wanted)
        self.touched: set[str] = set()
        self._wall = wall

    @property
    def writer(self) -> str:
        """Name of this writer."""
        return self.journal.writer

    def timestamp(self) -> float:
        """Seconds since 1970, for people only."""
        return round(self._wall(), 3)

    def record(self, kind: str, run: str, number: int, **facts: Any) -> None:
        """Record what happens to an attempt; an illegal event never reaches the journal.

        Raises:
            IllegalMove: The event cannot follow what this writer recorded of the attempt before.
        """
        event = self._checked(kind, run, number, facts)
        self.journal.append(event)
        self._fold(run, event)

    def record_now(self, kind: str, run: str, number: int, **facts: Any) -> bool:
        """Record what must not happen unless it is in the journal; returns whether it is, else nothing was recorded.

        Raises:
            IllegalMove: See :meth:`record`.
        """
        event = self._checked(kind, run, number, facts)
        is_written = self.journal.append_now(event)
        if is_written:
            self._fold(run, event)
        return is_written

    def _checked(self, kind: str, run: str, number: int, facts: Mapping[str, Any]) -> Event:
        event = {'event': kind, 'run': run, 'attempt': number, **facts}
        self.state.check(self.writer, event)
        return event

    def _fold(self, run: str, event: Event) -> None:
        before = self._state_of(run)
        self.state.fold(self.writer, event)
        self.touched.add(run)
        self._count(run, before)

    def note(self, kind: str, **facts: Any) -> bool:
        """Record an event that concerns no attempt, with the time; returns whether it is in the journal already."""
        return self.note_event({'event': kind, 'at': self.timestamp(), **facts})

    def note_event(self, event: Event) -> bool:
        """Record an event that concerns no attempt, as it is; returns whether it is in the journal already."""
        is_written = self.journal.append(event)
        self._fold_note(event)
        return is_written

    def note_now(self, event: Event) -> bool:
        """The same for what must not be unless it is in the journal; returns whether it is, else nothing was noted."""
        is_written = self.journal.append_now(event)
        if is_written:
            self._fold_note(event)
        return is_written

    def _fold_note(self, event: Event) -> None:
        run = event.get('run')
        before = self._state_of(run)
        self.state.fold(self.writer, event)
        self._touch(run, before)

    def hear(self, writer: str, event: Event) -> None:
        """Take in what another writer journaled."""
        run = event.get('run')
        before = self._state_of(run)
        self.state.replay([(writer, event)])
        self._touch(run, before)

    def _touch(self, run: str | None, before: State | None) -> None:
        """An event was folded, perhaps about a run, which was in the state ``before``."""
        if run is not None:
            self.touched.add(run)
        if run in self.state.runs:
            self._count(run, before)

    def why_blocked(self) -> str:
        """Why the journal cannot be written, in words, after another try; empty: it can."""
        return self.journal.blocked if self.journal.blocked and not self.journal.flush() else ''

    def _state_of(self, run: str | None) -> State | None:
        """The state of a run; None: it has no events."""
        history = self.state.runs.get(run) if run is not None else None
        return history.state if history else None

    def _count(self, run: str, before: State | None) -> None:
        if run in self.state.withdrawn:
            return
        if before is not None:
            self.counts[before] -= 1
        self.counts[self.state.runs[run].state] += 1


class ChosenRuns(Protocol):
    """The runs of an adaptive search."""

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All of them so far, by number."""

    def enough(self) -> Enough | None:
        """Why nothing more is to be started; None: that is not so."""


@dataclass(frozen=True)
class SearchContext:
    """A search, as this process works on it.

    Attributes:
        folder: Where it is.
        configuration: How its results are read.
        recorder: Records what happens in it.
        pending: Its runs that wait.
        results: Its table.
        options: How it is worked on.
        prune_rule: Which of its runs are stopped because of their metrics; None: none is.
        adaptive: Its runs, where they are chosen while it goes; None: they were all planned in advance.
    """

    folder: SearchFolder
    configuration: Configuration
    recorder: EventRecorder
    pending: PendingRuns
    results: ResultsView
    options: WorkOptions
    prune_rule: PruneRule | None = None
    adaptive: ChosenRuns | None = None

    @property
    def state(self) -> SearchState:
        """What all journals say."""
        return self.recorder.state

    @property
    def writer(self) -> str:
        """Name of this writer."""
        return self.recorder.writer


@dataclass(slots=True)
class ActiveAttempt:
    """An attempt that is under way and that this process manages.

    Attributes:
        launch: The attempt.
        since: When it was started, in monotonic seconds.
        in_queue: Whether it is a job of a queue, perhaps on another host.
        is_submitted: Whether that queue has accepted it.
        is_running: Whether it is known to run.
        is_unknown: Whether it has started, and its queue does not know its job any more.
        stop_reason: Why it was asked to end, in words, or empty.
        stop_cause: The same in one word.
        measured: What it has used so far.
    """

    launch: Launch
    since: float
    in_queue: bool = False
    is_submitted: bool = False
    is_running: bool = True
    is_unknown: bool = False
    stop_reason: str = ''
    stop_cause: str = STOP
    measured: Measured = NOTHING_MEASURED

    def journaled(self, state: SearchState) -> Attempt | None:
        """What all journals say of it; None: nothing yet."""
        return state.attempt_of(self.launch.run.name, self.launch.number)
