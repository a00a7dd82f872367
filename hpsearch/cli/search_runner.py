"""Working on a search: its journal, its peers and its table are opened here and handed to the dispatcher."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import PilotBackend
from hpsearch.backends.queue.own_job import limit_signals, own_job, own_node
from hpsearch.cli.context import BackendContext, MakeBackend, ProcessContext
from hpsearch.cli.options import SearchOptions
from hpsearch.dispatch.adaptive.settings import PruneRule
from hpsearch.dispatch.context import EventRecorder, SearchContext, WorkOptions
from hpsearch.dispatch.control.resumption import heed_resumption
from hpsearch.dispatch.dispatcher import Outcome, make_dispatcher
from hpsearch.dispatch.intake import read_results_again, take_late_records
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.pending_runs import PendingRuns, PlannedRuns, RunSource, RunsToStart, runs_given_up
from hpsearch.host import kernel
from hpsearch.host.locks import placement_lock
from hpsearch.host.processes import Process, start_ticks
from hpsearch.host.signals import stop_signals
from hpsearch.model.configuration import Configuration
from hpsearch.model.evidence import Liveness
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import JobTime, RetryPolicy, bad_places
from hpsearch.model.states import State
from hpsearch.model.table import MoreColumns, code_column, measure_columns
from hpsearch.model.units import count_of
from hpsearch.store import writers
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals, own_journal
from hpsearch.store.opening.open_search import OpenSearch
from hpsearch.store.results import ResultsView

if TYPE_CHECKING:
    from hpsearch.dispatch.adaptive.sampled_runs import SampledRuns
    from hpsearch.store.provenance import Provenance

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class SearchResult:
    """A search that was worked on.

    Attributes:
        total: Number of runs that are wanted; None: it is not known, since the work ended before that.
        outcome: How the work ended.
        waiting: Runs that wait to be started, those that are run again included.
        given_up: Runs that ended without success and are not run again.
        reader: Has read the journals of other writers, and can read on.
        writer: Name of this writer.
    """

    folder: SearchFolder
    configuration: Configuration
    results: ResultsView
    state: SearchState
    total: int | None
    outcome: Outcome
    reader: JournalReader
    writer: str
    waiting: int = 0
    given_up: frozenset[str] = frozenset()

    @property
    def counts(self) -> Counter[str]:
        """How many runs are in each state; those that have no events yet are planned."""
        wanted = self.state.wanted
        counts = Counter(history.state.value for history in wanted)
        counts['planned'] += 0 if self.total is None else self.total - len(wanted)
        return counts

    @property
    def all_finished(self) -> bool:
        """Whether every run of the plan has finished, or was stopped because of its metrics."""
        counts = self.counts
        return counts[State.FINISHED.value] + counts[State.STOPPED.value] == self.total

    @property
    def has_reached_target(self) -> bool:
        """Whether a run was as good as wanted."""
        return self.outcome.enough is not None and self.outcome.enough.is_success


def _look_away(search: SearchContext) -> None:
    """Nobody wants to know how a search goes."""


def work(
    search: OpenSearch,
    process: ProcessContext,
    make_backend: MakeBackend,
    options: WorkOptions,
    job_has_ended: Callable[[Mapping[str, Any]], bool],
    watch: Callable[[SearchContext], None] = _look_away,
) -> SearchResult:
    """Work on a search until it ends.

    Args:
        make_backend: Makes the place where its runs execute.
        job_has_ended: Says of a queue job (``queue``, ``id``, ``ends``) whether its queue knows that it ended.
        watch: Called before the first round, and after each one.

    Raises:
        HpsearchError: Its journals cannot be read or written, or a folder of earlier results is no search.
    """
    folder = search.folder
    _import_from_copy(folder)
    state, reader = open_journals(folder)
    state.withdrawn = search.withdrawn
    writers.forget_pilots_of_originals(state, folder, folder.read_info())
    _warn_of_odd_lines(state, reader)
    if options.waits_for_others:
        _warn_of_others(folder, reader)
    host, job = kernel.this_host(), _own_job(options.job_time)
    signals = stop_signals(1 if options.stop_at_once else 0, term_leaves=options.in_queue, limit=limit_signals(job))
    with own_journal(folder, host, job) as journal, signals as requests:
        recorder = EventRecorder(state, journal)
        _take_in_earlier(search, options, recorder)
        context = search_context(search, options, recorder)
        note, grace, dead = recorder.note_event, options.stop_grace, options.declared_dead
        backend = make_backend(BackendContext(search, process.wakeup, state, note, grace, dead))
        process.stack.callback(backend.close)
        can_adopt = _never if isinstance(backend, PilotBackend) else backend.can_adopt
        known = writers.Writers(folder, host, options.declared_dead, job_has_ended)
        began = Process(os.getpid(), start_ticks(os.getpid())).started
        peers = Peers(folder, recorder, reader, known, can_adopt, began, options.only)
        make_provenance, lock = partial(_provenance_of, search), placement_lock(folder.identity)
        outcome = make_dispatcher(
            context, peers, backend, requests, process.view, make_provenance, lock, watch=watch
        ).run()
    _write_schedules(context)
    return _result(search, context, reader, outcome)


def _result(search: OpenSearch, context: SearchContext, reader: JournalReader, outcome: Outcome) -> SearchResult:
    pending = context.pending
    return SearchResult(
        search.folder,
        search.configuration,
        context.results,
        context.state,
        pending.total,
        outcome,
        reader,
        context.writer,
        pending.waiting,
        frozenset(pending.given_up),
    )


def _write_schedules(context: SearchContext) -> None:
    """Write the schedules of a population, as far as it has come."""
    from hpsearch.dispatch.adaptive.schedules import has_population, stages_of, write_schedules

    settings, state = context.options.adaptive, context.state
    if settings is None or not settings.objectives or not has_population(state):
        return
    found = stages_of(state, context.configuration.fidelity, settings.objectives[0], context.options.retry)
    try:
        write_schedules(context.folder, found)
    except OSError as error:
        log.warning('the schedules could not be written: %s (%s)', error.strerror, error.filename)


def _import_from_copy(folder: SearchFolder) -> None:
    """Let ``PYTHONPATH`` lead runs to the copy of the code, if there is one, where it leads to the original."""
    entries = os.environ.get('PYTHONPATH')
    if folder.code_copy and entries:
        os.environ['PYTHONPATH'] = folder.code_copy.python_path(folder.code_dir, entries)


def _own_job(job_time: JobTime | None) -> dict[str, Any] | None:
    """The queue job of this process, with the time at which it ends, in seconds since 1970, if that is known."""
    job = own_job()
    if job is None or job_time is None:
        return job
    return {**job, 'ends': round(time.time() + job_time.end - time.monotonic())}


def _never(*_: object) -> bool:
    return False


def _provenance_of(search: OpenSearch) -> Provenance:
    """See :func:`provenance_of`, whose imports take a while and are needed only when a run was started."""
    from hpsearch.store.provenance import provenance_of

    return provenance_of(search)


def search_context(search: OpenSearch, options: WorkOptions, recorder: EventRecorder) -> SearchContext:
    """The search with the runs of its plan that wait."""
    state = recorder.state
    retry = replace(options.retry, bad_places=frozenset(bad_places(state.ended_in_places)))
    chosen = _chosen_runs(search, options, recorder, retry)
    planned = chosen or _planned_runs(search, options, state, retry)
    source, rule = with_pruning(planned, search, options, recorder, retry)
    pending = PendingRuns(source, state, recorder.counts, retry, runs_given_up(state, retry), search.folder.find_run)
    configuration = search.configuration
    results = ResultsView(
        search.folder.results_csv,
        configuration.performance_key,
        configuration.performance_ascending,
        expected=tuple(configuration.summary_keywords),
        more=_more_columns(options, state),
    )
    return SearchContext(search.folder, configuration, recorder, pending, results, options, rule, chosen)


def _more_columns(options: WorkOptions, state: SearchState) -> list[MoreColumns]:
    """The columns of the table that were asked for."""
    code = [code_column(state.code_of)] if options.code_column else []
    return [*code, *([measure_columns(state.measured_of)] if options.measure_columns else [])]


def _planned_runs(search: OpenSearch, options: WorkOptions, state: SearchState, retry: RetryPolicy) -> PlannedRuns:
    """Those of the plan that wait."""
    return PlannedRuns(() if options.stop_at_once else RunsToStart(search.folder, state, retry), search.total)


def _chosen_runs(
    search: OpenSearch, options: WorkOptions, recorder: EventRecorder, retry: RetryPolicy
) -> SampledRuns | None:
    """The runs of an adaptive search; None: they were all planned in advance, or nothing is started."""
    if options.adaptive is None or options.stop_at_once:
        return None
    from hpsearch.dispatch.adaptive.sampled_runs import sampled_runs

    return sampled_runs(search, recorder, options, options.adaptive, retry)


def with_pruning(
    source: RunSource, search: OpenSearch, options: WorkOptions, recorder: EventRecorder, retry: RetryPolicy
) -> tuple[RunSource, PruneRule | None]:
    """The runs of a search with those that are promoted, and which are stopped; None: none is."""
    if options.pruning is None or options.stop_at_once:
        return source, None
    from hpsearch.dispatch.adaptive.promotions import pruned_runs

    return pruned_runs(source, search, recorder, options.pruning, retry)


def _warn_of_odd_lines(state: SearchState, reader: JournalReader) -> None:
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('left out: %s', odd)


def _warn_of_others(folder: SearchFolder, reader: JournalReader) -> None:
    """Say who works on the search already; jobs that do are part of it."""
    lives = writers.poll_once(folder, reader.headers, reader.closed, time.time())
    alive = [reader.headers[writer] for writer, life in lives.items() if life is Liveness.ALIVE]
    others = [f'{each.get("host")} (pid {each.get("pid")})' for each in alive if 'job' not in each]
    if others:
        log.warning(
            'another hpsearch works on this search already, on %s: this one works beside it, with --cpu_jobs or '
            '--num_jobs of its own, as hpsearch join does. hpsearch stop %s ends all of them.',
            ', '.join(others),
            folder.path,
        )


def _take_in_earlier(search: OpenSearch, options: WorkOptions, recorder: EventRecorder) -> None:
    """Take in what is asked for by working on a search at all, and what earlier writers did not see."""
    if options.waits_for_others:
        heed_resumption(recorder, retry_cancelled=options.retry.retry_cancelled)
    _take_earlier_results(search, options, recorder)
    completions = CompletionReader(search.folder, search.configuration)
    take_late_records(completions, recorder, search.folder)
    if options.reread:
        read_results_again(completions, recorder, search.folder)


def _take_earlier_results(search: OpenSearch, options: WorkOptions, recorder: EventRecorder) -> None:
    if not options.reuse:
        return
    from hpsearch.dispatch.reuse import reuse_results

    taken = reuse_results(search.folder, options.reuse, search.configuration.summary_keywords, recorder)
    log.info('%s taken from earlier searches', count_of(taken, 'run is', 'runs are'))


def work_options(
    options: SearchOptions, *, retry_failed: bool = False, retry_cancelled: bool = False, **more: Any
) -> WorkOptions:
    """How this process works on a search; ``more`` are further fields of :class:`WorkOptions`."""
    chosen, in_queue = options.execution, options.cluster.run_cluster
    return WorkOptions(
        in_queue=in_queue,
        is_in_job=not in_queue and own_job() is not None,
        node='' if in_queue else own_node(),
        fail_fast=chosen.fail_fast,
        stop_grace=chosen.stop_grace,
        retry=RetryPolicy(
            chosen.max_attempts,
            chosen.retries,
            retry_failed,
            chosen.retry_timeouts,
            retry_cancelled,
            requeues=options.neighbours.yields != 'stop',
        ),
        only_submits=options.only_submits,
        code_column=options.display.code_column,
        learn_from=options.local.learn_from,
        measure_columns=options.display.measure_columns,
        **more,
    )
