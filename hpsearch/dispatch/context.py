"""Values that the parts of the dispatcher share: how a search is worked on, what belongs to it, what is under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpsearch.backends.base import Launch
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.dispatch.pending_runs import PendingRuns
from hpsearch.model.configuration import Configuration
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.states import SearchState
from hpsearch.store.folder import SearchFolder
from hpsearch.store.results import ResultsView


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How this process works on a search.

    Attributes:
        in_queue: Whether its runs are jobs of a queue.
        is_in_job: Whether this process and its runs share one queue job, so that the queue ends both together.
        job_seconds: How long the queue job this process runs in lasts, in seconds; None: not in one, or not known.
        fail_fast: Stop when the first so many attempts that ended failed alike; 0: never.
        stop_grace: Seconds between TERM and KILL for runs that are stopped.
        retry: Which runs get another attempt.
        only_submits: Leave as soon as the queue has accepted all it takes.
        echo: Show the output of the run on the terminal, too.
        waits_for_others: Stay until the attempts of other writers have ended, too.
        declared_dead: Names of hosts that the user declared dead.
        reuse: Folders of earlier searches whose results are taken.
        stop_at_once: End what runs instead of starting anything.
    """

    in_queue: bool = False
    is_in_job: bool = False
    job_seconds: float | None = None
    fail_fast: int = 5
    stop_grace: float = 15.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    only_submits: bool = False
    echo: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    reuse: tuple[str, ...] = ()
    stop_at_once: bool = False

    @property
    def stop_reason(self) -> str:
        """Why runs are stopped when this process receives a signal, in words."""
        return 'stopped by the user' if self.job_seconds is None else 'the job it ran in was told to end'


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
    """

    folder: SearchFolder
    configuration: Configuration
    recorder: EventRecorder
    pending: PendingRuns
    results: ResultsView
    options: WorkOptions

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
    """An attempt that is under way and that this process looks after.

    Attributes:
        launch: The attempt.
        since: When it was started, in monotonic seconds.
        in_queue: Whether it is a job of a queue, perhaps on another host.
        is_submitted: Whether that queue has accepted it.
        is_running: Whether it is known to run.
        stop_reason: Why it was asked to end, in words, or empty.
    """

    launch: Launch
    since: float
    in_queue: bool = False
    is_submitted: bool = False
    is_running: bool = True
    stop_reason: str = ''
