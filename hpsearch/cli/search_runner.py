"""Working on a search: its journal, its peers and its table are opened here and handed to the dispatcher."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import Backend
from hpsearch.cli.backend_factory import BackendContext, MakeBackend
from hpsearch.cli.cluster import limit_signals, own_job
from hpsearch.cli.context import ProcessContext
from hpsearch.cli.creation import OpenSearch
from hpsearch.cli.signals import StopRequests, own_journal, stop_signals
from hpsearch.cli.work_options import WorkOptions
from hpsearch.dispatch.dispatcher import Dispatcher, Options, Outcome
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.progress import Progress
from hpsearch.host.locks import placement_lock
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


def work(
    task: OpenSearch,
    place: ProcessContext,
    make_backend: MakeBackend,
    work_options: WorkOptions,
    job_has_ended: Callable[[Mapping[str, str]], bool],
) -> SearchResult:
    """Work on a search until it ends.

    Args:
        job_has_ended: Says of a queue job (``queue``, ``id``) whether its queue knows that it ended.
    """
    folder = task.folder
    state, reader = open_journals(folder)
    tell_odd(state, reader)
    results = results_view(folder, task.configuration)
    options = options_of(work_options)
    host, job = writers.this_host(), own_job()
    with own_journal(folder, host, job) as journal, signals_of(work_options, job) as wishes:
        take_earlier_results(task, work_options.reuse, state, journal)
        progress = progress_of(task, state)
        backend = make_backend(
            BackendContext(
                task, place, state, noting(state, journal), lambda: dispatcher.waiting, work_options.stop_grace
            )
        )
        place.stack.callback(backend.close)
        others = peers_of(folder, journal, reader, state, backend, host, work_options, job_has_ended)
        dispatcher = Dispatcher(
            folder=folder,
            configuration=task.configuration,
            runs=() if work_options.stop_at_once else runs_to_start(task, state, options.retry),
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


def peers_of(
    folder: SearchFolder,
    journal: Journal,
    reader: JournalReader,
    state: SearchState,
    backend: Backend,
    host: writers.Host,
    work_options: WorkOptions,
    job_has_ended: Callable[[Mapping[str, str]], bool],
) -> Peers:
    """The other writers of a search."""
    return Peers(
        folder=folder,
        own=journal.writer,
        reader=reader,
        state=state,
        writers=writers.Writers(folder, host, work_options.declared_dead, job_has_ended),
        can_adopt=backend.can_adopt,
    )


def tell_odd(state: SearchState, reader: JournalReader) -> None:
    """Tell what the journals say that makes no sense."""
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('journal: %s', odd)


def signals_of(work_options: WorkOptions, job: Mapping[str, str] | None) -> AbstractContextManager[StopRequests]:
    """What signals ask of this process, which may be a job."""
    asked = 1 if work_options.stop_at_once else 0
    return stop_signals(asked, term_leaves=work_options.in_queue, like_term=limit_signals(job))


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


def options_of(work_options: WorkOptions) -> Options:
    """How the search is worked on, as the dispatcher has it."""
    return Options(
        fail_fast=work_options.fail_fast,
        grace=work_options.stop_grace,
        retry=work_options.retry,
        echo=work_options.echo,
        waits_for_others=work_options.waits_for_others,
        only_submits=work_options.only_submits,
        job_seconds=work_options.job_seconds,
        is_in_job=not work_options.in_queue and own_job() is not None,
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
        row = endings.row(run, ended)
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
