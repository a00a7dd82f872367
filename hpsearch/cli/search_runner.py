"""Conducting a search: its folder, its journal, its backend and its view are made here and handed to the dispatcher."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import Backend
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.slots import FixedSlots, SlotSource
from hpsearch.cli.cluster import PILOT_WARNING, WARNING_MAY_BE_EARLY, JobAsker, job_end, limit_signals, own_job
from hpsearch.cli.creation import OpenSearch, make_search
from hpsearch.cli.machine import choose_slots
from hpsearch.cli.request import make_request
from hpsearch.cli.signals import StopRequests, logging_to, own_journal, stop_signals
from hpsearch.dispatch.dispatcher import Dispatcher, Options, Outcome
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.progress import Progress
from hpsearch.host.locks import placement_lock
from hpsearch.host.wakeup import Wakeup
from hpsearch.model.configuration import Configuration
from hpsearch.model.retries import RetryPolicy, again
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, CANCELLED, RunHistory, SearchState, State
from hpsearch.store import writers
from hpsearch.store.attempt_files import has_unshown_logs
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader, open_journals
from hpsearch.store.results import ResultsView
from hpsearch.ui.view import View, open_view

if TYPE_CHECKING:
    from hpsearch.store.provenance import Provenance

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class SearchResult:
    """A search that was worked on.

    Attributes:
        folder: Where.
        configuration: What.
        results: Its table.
        state: Its runs.
        total: Number of runs that are wanted.
        withdrawn: Runs of the plan that are not wanted any more.
        outcome: How the work ended.
        waiting: Runs that wait to be started, those that are run again included.
    """

    folder: SearchFolder
    configuration: Configuration
    results: ResultsView
    state: SearchState
    total: int
    withdrawn: frozenset[str]
    outcome: Outcome
    waiting: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many runs are in each state; those that have no events yet are planned."""
        wanted = [history for name, history in self.state.runs.items() if name not in self.withdrawn]
        counts = Counter(history.state.value for history in wanted)
        counts['planned'] += self.total - len(wanted)
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


@dataclass(frozen=True)
class ProcessContext:
    """What a process works with, whatever the search."""

    view: View
    wakeup: Wakeup
    stack: ExitStack


@contextmanager
def process_context(args: argparse.Namespace) -> Iterator[ProcessContext]:
    """The terminal, the log and the signals of this process."""
    with ExitStack() as stack:
        view = stack.enter_context(open_view(sys.stdout, sys.stderr, quiet=args.quiet))
        stack.enter_context(logging_to(view, args.log_level))
        yield ProcessContext(view, stack.enter_context(Wakeup()), stack)


def conduct(args: argparse.Namespace) -> SearchResult:
    """Make a search and work on it until it ends.

    Raises:
        HpsearchError: It cannot be started.
    """
    request = make_request(args)
    with process_context(args) as place:
        for note in request.notes:
            log.info(note)
        make_backend, echo = choose_backend(args, place)
        folder = make_search(request)
        task = OpenSearch(folder, request.configuration, str(request.run_cwd), request.interpreter)
        return work(task, place, make_backend, args, WorkOptions(echo=echo, reuse=tuple(args.reuse)))


def make(args: argparse.Namespace) -> SearchFolder:
    """Make a search without working on it.

    Raises:
        HpsearchError: It cannot be made.
    """
    request = make_request(args)
    with process_context(args):
        return make_search(request)


def resume(args: argparse.Namespace) -> SearchResult:
    """Join a search that exists and work on it until it ends.

    Raises:
        HpsearchError: It cannot be resumed.
    """
    from hpsearch.cli.open_search import check_owner, extend_plan, merged_options, reopen

    folder = SearchFolder(args.dir)
    info = folder.read_info()
    check_owner(folder, trust=args.trust)
    options = merged_options(info, args)
    joins = not args.waits_for_others
    if joins and 'run_cluster' not in args:
        options.run_cluster = False  # whoever helps with a search does so where he is
    with process_context(options) as place:
        if args.extend:
            extension = extend_plan(folder, info, options)
            log.info('%d runs added, %d withdrawn', len(extension.added), len(extension.withdrawn))
            info = folder.read_info()
        task = reopen(folder, info)
        ends = job_end(options, time.time()) if joins else None
        make_backend, echo = choose_backend(options, place, ends)
        manner = WorkOptions(
            echo=echo,
            waits_for_others=args.waits_for_others,
            declared_dead=tuple(args.host_is_dead),
            retry_failed=args.retry_failed,
            retry_cancelled=args.retry_cancelled,
            reuse=tuple(getattr(args, 'reuse', ())),
            job_seconds=ends - time.time() if ends else None,
        )
        return work(task, place, make_backend, options, manner)


def end_runs(folder: SearchFolder, args: argparse.Namespace) -> SearchResult:
    """Take over the runs of a search that nobody looks after, and end them.

    Raises:
        HpsearchError: It cannot be done.
    """
    from hpsearch.cli.open_search import reopen

    with process_context(args) as place:
        task = reopen(folder, folder.read_info())
        manner = WorkOptions(stop_at_once=True, waits_for_others=False)
        make_backend = choose_backend(args, place)[0] if args.run_cluster else local_backend(FixedSlots(1))
        return work(task, place, make_backend, args, manner)


@dataclass(frozen=True)
class BackendContext:
    """What a backend is made of.

    Attributes:
        task: The search.
        place: This process.
        state: The runs so far.
        note: Writes an event to the journal.
        planned: How many runs wait.
        grace: Seconds that runs which are stopped have.
    """

    task: OpenSearch
    place: ProcessContext
    state: SearchState
    note: Callable[[dict[str, Any]], object]
    planned: Callable[[], int]
    grace: float


MakeBackend = Callable[[BackendContext], Backend]


def choose_backend(
    args: argparse.Namespace, place: ProcessContext, job_end: float | None = None
) -> tuple[MakeBackend, bool]:
    """How the backend that was asked for is made, and whether the output of the runs is shown.

    Args:
        args: The options.
        place: This process.
        job_end: When the job we are in ends, where runs that would take longer are not to be started.

    Raises:
        HpsearchError: It cannot be had.
    """
    if args.run_cluster:
        from hpsearch.cli.cluster import choose_system, make_queue_backend

        system = choose_system(args)
        return partial(make_queue_backend, args, system), False
    slots, echo = choose_slots(args, place.wakeup)
    place.stack.callback(slots.close)
    return local_backend(slots, job_end), echo


def local_backend(slots: SlotSource, job_end: float | None = None) -> MakeBackend:
    """How a backend of this machine is made.

    Args:
        slots: Where slots come from.
        job_end: When the job this process is in ends, in seconds since 1970; runs that would take longer are not
            started. None: it is in none that is known to end.
    """

    def make(bench: BackendContext) -> Backend:
        source = slots
        if job_end is not None:
            from hpsearch.backends.local.time_limit_slots import WallTimeSlots

            ends_at = time.monotonic() + job_end - time.time()
            # Our own end is told us so long before it.
            margin = bench.grace + PILOT_WARNING + WARNING_MAY_BE_EARLY
            source = WallTimeSlots(slots, ends_at, lambda: durations(bench.state), margin)
        return LocalBackend(bench.task.folder, bench.task.run_cwd, source, bench.place.wakeup)

    return make


def durations(state: SearchState) -> list[float]:
    """How long the runs that finished took, in seconds."""
    ended = (history.deciding for history in state.runs.values() if history.state is State.FINISHED)
    return [each.seconds for each in ended if each is not None and each.seconds is not None]


@dataclass(frozen=True)
class WorkOptions:
    """How this process works on a search, beside what the options say.

    Attributes:
        echo: The output of a run is shown.
        waits_for_others: Stay until the attempts of other writers have ended.
        declared_dead: Hosts that the user said are dead.
        retry_failed: Failed runs get one more attempt.
        reuse: Earlier searches whose results are taken.
        retry_cancelled: Runs whose jobs were cancelled get one more attempt.
        stop_at_once: End what runs instead of starting anything.
        job_seconds: How long the job we work in lasts, or None.
    """

    echo: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    retry_failed: bool = False
    retry_cancelled: bool = False
    reuse: tuple[str, ...] = ()
    stop_at_once: bool = False
    job_seconds: float | None = None


def work(
    task: OpenSearch, place: ProcessContext, make_backend: MakeBackend, args: argparse.Namespace, manner: WorkOptions
) -> SearchResult:
    """Work on a search until it ends."""
    folder = task.folder
    state, reader = open_journals(folder)
    tell_odd(state, reader)
    results = results_view(folder, task.configuration)
    options = options_of(args, manner)
    host, job = writers.this_host(), own_job()
    with own_journal(folder, host, job) as journal, signals_of(args, manner, job) as wishes:
        take_earlier_results(task, manner.reuse, state, journal)
        progress = progress_of(task, state)
        backend = make_backend(
            BackendContext(task, place, state, noting(state, journal), lambda: dispatcher.waiting, args.stop_grace)
        )
        place.stack.callback(backend.close)
        others = Peers(
            folder=folder,
            own=journal.writer,
            reader=reader,
            state=state,
            writers=writers.Writers(folder, host, manner.declared_dead, JobAsker(args, place.wakeup)),
            is_running=backend.is_running,
            can_adopt=backend.can_adopt,
        )
        dispatcher = Dispatcher(
            folder=folder,
            configuration=task.configuration,
            runs=() if manner.stop_at_once else runs_to_start(task, state, options.retry),
            state=state,
            journal=journal,
            backend=backend,
            others=others,
            results=results,
            progress=progress,
            view=place.view,
            options=options,
            stops=lambda: wishes.stops,
            leaves=lambda: wishes.leaves,
            lock=placement_lock(folder.path),
            provenance=LateProvenance(task),
            afterwards=lambda: load_results(task, state, results, progress),
            given_up=given_up(state, options.retry),
        )
        outcome = dispatcher.run()
        waiting = dispatcher.waiting
    return SearchResult(folder, task.configuration, results, state, task.total, task.withdrawn, outcome, waiting)


def tell_odd(state: SearchState, reader: JournalReader) -> None:
    """Tell what the journals say that makes no sense."""
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('journal: %s', odd)


def signals_of(
    args: argparse.Namespace, manner: WorkOptions, job: Mapping[str, str] | None
) -> AbstractContextManager[StopRequests]:
    """What signals ask of this process, which may be a job."""
    asked = 1 if manner.stop_at_once else 0
    return stop_signals(asked, term_leaves=args.run_cluster, like_term=limit_signals(job))


def noting(state: SearchState, journal: Journal) -> Callable[[dict[str, Any]], bool]:
    """Writes events that a backend tells to the journal, and takes them in; says whether the journal has them."""

    def note(event: dict[str, Any]) -> bool:
        state.fold(journal.writer, event)
        return journal.append(event)

    return note


def take_earlier_results(task: OpenSearch, earlier: Sequence[str], state: SearchState, journal: Journal) -> None:
    """Do without the runs whose results other searches have already.

    Raises:
        SearchFolderError: One of the folders is no search, or cannot be read.
    """
    if not earlier:
        return
    from hpsearch.dispatch.reuse import reuse_results

    taken = reuse_results(task.folder, earlier, task.configuration.summary_keywords, state, journal)
    log.info('%d runs are taken from earlier searches', taken)


class LateProvenance:
    """Finds out with which code the runs are made; what that takes is imported when the first run was started.

    Args:
        task: The search.
    """

    def __init__(self, task: OpenSearch) -> None:
        self._task = task
        self._provenance: Provenance | None = None

    @property
    def code(self) -> str:
        """The id of the code; empty before it is known."""
        return self._provenance.code if self._provenance else ''

    def start(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """Begin, once."""
        if self._provenance is None:
            self._provenance = self._make()
            self._provenance.start(tell)

    def _make(self) -> Provenance:
        from hpsearch.store.provenance import Provenance, code_files

        run_cwd = Path(self._task.run_cwd)
        files = code_files(self._task.configuration, run_cwd)
        interpreter = '' if self._task.configuration.command is not None else self._task.interpreter
        return Provenance(self._task.folder, files[0].parent if files else run_cwd, interpreter, files)

    def check(self, now: float) -> None:
        """Have another look, if it is time."""
        if self._provenance is not None:
            self._provenance.check(now)

    def wait(self, timeout: float) -> bool:
        """Wait until the first event was told, at most ``timeout`` seconds."""
        return self._provenance is None or self._provenance.wait(timeout)


def progress_of(task: OpenSearch, state: SearchState) -> Progress:
    """How far a search has come, from now on."""
    configuration = task.configuration
    return Progress(
        folder=str(task.folder.path),
        total=task.total,
        state=state,
        key=configuration.performance_key,
        ascending=configuration.performance_ascending,
        varying=[option for option, values in configuration.grid.items() if len(values) > 1],
        begin=time.monotonic(),
    )


def options_of(args: argparse.Namespace, manner: WorkOptions) -> Options:
    """How the search is worked on."""
    return Options(
        fail_fast=args.fail_fast,
        grace=args.stop_grace,
        retry=RetryPolicy(
            args.max_attempts, args.retries, manner.retry_failed, args.retry_timeouts, manner.retry_cancelled
        ),
        echo=manner.echo,
        waits_for_others=manner.waits_for_others,
        only_submits=args.run_cluster and args.submit_only,
        job_seconds=manner.job_seconds,
        is_in_job=not args.run_cluster and own_job() is not None,
    )


def runs_to_start(task: OpenSearch, state: SearchState, retry: RetryPolicy) -> Iterator[Run]:
    """The runs of the plan that nobody has finished and nobody works on, in order."""
    for run in task.folder.read_runs():
        if run.name not in task.withdrawn and _needs_a_start(state.runs.get(run.name), retry):
            yield run


def _needs_a_start(history: RunHistory | None, retry: RetryPolicy) -> bool:
    if history is None or not history.attempts:
        return True
    return history.state not in ACTIVE and bool(again(history.attempts, retry, is_taken_up=True))


def given_up(state: SearchState, retry: RetryPolicy) -> Iterator[str]:
    """The runs that ended without success and are not run again."""
    for name, history in state.runs.items():
        if history.state not in (*ACTIVE, State.FINISHED) and not _needs_a_start(history, retry):
            yield name


def load_results(task: OpenSearch, state: SearchState, results: ResultsView, progress: Progress) -> None:
    """Put the rows of runs that ended before this process began into its table, and their logs into their place."""
    if not state.runs:
        return
    endings = CompletionReader(task.folder, task.configuration)
    for run in task.folder.read_runs():
        history = state.runs.get(run.name)
        ended = history.deciding if history else None
        if ended is None or ended.state in ACTIVE or results.has(run.name):
            continue
        row = endings.row(run, ended.state, ended.reason, ended.summary, ended.seconds)
        results.put(row)
        progress.result(row)
        if has_unshown_logs(task.folder, run.name, ended.number):
            endings.show_logs(run, ended.number)


def results_view(folder: SearchFolder, configuration: Configuration) -> ResultsView:
    """The table of a search."""
    return ResultsView(
        folder.results_csv,
        configuration.performance_key,
        configuration.performance_ascending,
        expected=tuple(configuration.summary_keywords),
    )
