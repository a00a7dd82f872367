"""Working on a search: its journal, its peers and its table are opened here and handed to the dispatcher."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.backends.queue.own_job import limit_signals, own_job
from hpsearch.cli.context import BackendContext, MakeBackend, ProcessContext
from hpsearch.dispatch.active_attempts import ActiveAttempts
from hpsearch.dispatch.admission import Admission
from hpsearch.dispatch.claims import Claims
from hpsearch.dispatch.code_tracker import CodeTracker
from hpsearch.dispatch.context import SearchContext, WorkOptions
from hpsearch.dispatch.dispatcher import Dispatcher, Outcome
from hpsearch.dispatch.display import Display, OutputEcho
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.dispatch.heartbeat import Heartbeat
from hpsearch.dispatch.intake import Intake, Listener
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.pending_runs import PendingRuns, PlannedRuns, runs_given_up, runs_to_start
from hpsearch.dispatch.progress import Progress
from hpsearch.dispatch.recovery import Recovery
from hpsearch.dispatch.shutdown import Shutdown
from hpsearch.dispatch.strategies import AttemptStrategy, PilotStrategy, Strategy
from hpsearch.host import kernel
from hpsearch.host.locks import placement_lock
from hpsearch.host.signals import StopRequests, stop_signals
from hpsearch.model.configuration import Configuration
from hpsearch.model.states import CANCELLED, SearchState, State
from hpsearch.store import writers
from hpsearch.store.folder import OpenSearch, SearchFolder
from hpsearch.store.journal import Journal, JournalReader, open_journals, own_journal
from hpsearch.store.results import ResultsView

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class SearchResult:
    """A search that was worked on.

    Attributes:
        folder: Where.
        configuration: What.
        results: Its table.
        state: Its runs.
        total: Number of runs that are wanted; None: it is not known, since the work ended before that.
        withdrawn: Runs of the plan that are not wanted any more.
        outcome: How the work ended.
        waiting: Runs that wait to be started, those that are run again included.
    """

    folder: SearchFolder
    configuration: Configuration
    results: ResultsView
    state: SearchState
    total: int | None
    withdrawn: frozenset[str]
    outcome: Outcome
    waiting: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many runs are in each state; those that have no events yet are planned."""
        wanted = [history for name, history in self.state.runs.items() if name not in self.withdrawn]
        counts = Counter(history.state.value for history in wanted)
        counts['planned'] += 0 if self.total is None else self.total - len(wanted)
        return counts

    @property
    def cancelled(self) -> int:
        """How many runs somebody cancelled in a queue."""
        ended = (history.deciding for history in self.state.runs.values())
        return sum(each is not None and each.cause == CANCELLED for each in ended)

    @property
    def all_finished(self) -> bool:
        """Whether every run of the plan has finished."""
        return self.counts[State.FINISHED.value] == self.total


def work(
    task: OpenSearch,
    place: ProcessContext,
    make_backend: MakeBackend,
    options: WorkOptions,
    job_has_ended: Callable[[Mapping[str, str]], bool],
) -> SearchResult:
    """Work on a search until it ends.

    Args:
        task: The search.
        place: This process.
        make_backend: Makes the place where its runs execute.
        options: How it is worked on.
        job_has_ended: Says of a queue job (``queue``, ``id``) whether its queue knows that it ended.
    """
    folder = task.folder
    state, reader = open_journals(folder)
    warn_of_odd_lines(state, reader)
    host, job = kernel.this_host(), own_job()
    with own_journal(folder, host, job) as journal, signals_of(options, job) as requests:
        recorder = EventRecorder(state, journal)
        take_earlier_results(task, options, recorder)
        search = search_context(task, options, recorder)
        backend = make_backend(BackendContext(task, place, state, recorder.note_event, options.stop_grace))
        place.stack.callback(backend.close)
        known = writers.Writers(folder, host, options.declared_dead, job_has_ended)
        peers = peers_of(search, reader, known, backend)
        outcome = make_dispatcher(task, place, search, journal, backend, peers, requests).run()
    pending = search.pending
    return SearchResult(
        folder, task.configuration, search.results, state, pending.total, task.withdrawn, outcome, pending.waiting
    )


def search_context(task: OpenSearch, options: WorkOptions, recorder: EventRecorder) -> SearchContext:
    """The search with the runs of its plan that wait."""
    state, retry = recorder.state, options.retry
    runs = () if options.stop_at_once else runs_to_start(task.folder, task.withdrawn, state, retry)
    source = PlannedRuns(runs, task.total)
    pending = PendingRuns(source, state, recorder.counts, retry, runs_given_up(state, retry))
    results = results_view(task.folder, task.configuration)
    return SearchContext(task.folder, task.configuration, recorder, pending, results, options)


def peers_of(
    search: SearchContext, reader: JournalReader, known: writers.Writers, backend: AttemptBackend | PilotBackend
) -> Peers:
    """The other writers of a search; only a backend of attempts can be asked for theirs."""
    return Peers(
        folder=search.folder,
        own=search.writer,
        reader=reader,
        state=search.state,
        writers=known,
        can_adopt=_never if isinstance(backend, PilotBackend) else backend.can_adopt,
    )


def _never(*_: object) -> bool:
    return False


def make_dispatcher(
    task: OpenSearch,
    place: ProcessContext,
    search: SearchContext,
    journal: Journal,
    backend: AttemptBackend | PilotBackend,
    peers: Peers,
    requests: StopRequests,
) -> Dispatcher:
    """The parts of a dispatcher, put together."""
    progress = Progress(search, time.monotonic())
    intake = Intake(search, progress)
    code = CodeTracker(task.folder, task.configuration, task.run_cwd, task.interpreter)
    heartbeat = Heartbeat(search, journal, backend, code)
    listener, recovery = Listener(search, peers, intake), Recovery(search, peers, intake)
    strategy: Strategy
    if isinstance(backend, PilotBackend):
        strategy = PilotStrategy(search, backend, listener, recovery)
    else:
        echo = OutputEcho(place.view, task.folder, is_on=search.options.echo)
        active = ActiveAttempts(search, backend, intake, requests, echo)
        claims = Claims(search, peers, heartbeat.circumstances)
        admission = Admission(search, backend, peers, claims, active, intake)
        lock = placement_lock(task.folder.path)
        strategy = AttemptStrategy(search, backend, active, admission, listener, recovery, lock)
    shutdown = Shutdown(requests, search.options)
    display = Display(place.view, progress, backend)
    return Dispatcher(search, strategy, peers, intake, shutdown, heartbeat, display)


def warn_of_odd_lines(state: SearchState, reader: JournalReader) -> None:
    """Warn of what makes no sense in the journals."""
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('journal: %s', odd)


def signals_of(options: WorkOptions, job: Mapping[str, str] | None) -> AbstractContextManager[StopRequests]:
    """What signals ask of this process, which may be a job."""
    asked = 1 if options.stop_at_once else 0
    return stop_signals(asked, term_leaves=options.in_queue, like_term=limit_signals(job))


def take_earlier_results(task: OpenSearch, options: WorkOptions, recorder: EventRecorder) -> None:
    """Do without the runs whose results other searches have already.

    Raises:
        SearchFolderError: One of the folders is no search, or cannot be read.
    """
    if not options.reuse:
        return
    from hpsearch.dispatch.reuse import reuse_results

    taken = reuse_results(task.folder, options.reuse, task.configuration.summary_keywords, recorder)
    log.info('%d runs are taken from earlier searches', taken)


def results_view(folder: SearchFolder, configuration: Configuration) -> ResultsView:
    """The table of a search."""
    return ResultsView(
        folder.results_csv,
        configuration.performance_key,
        configuration.performance_ascending,
        expected=tuple(configuration.summary_keywords),
    )
