"""Conducting a search: its folder, its journal, its backend and its view are made here and handed to the dispatcher."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import writers
from hpsearch.attempt import has_unshown_logs
from hpsearch.backends.local import LocalBackend
from hpsearch.backends.slots import FixedSlots, SlotSource
from hpsearch.dispatcher import Dispatcher, Options, Outcome, show_logs
from hpsearch.errors import ConfigError
from hpsearch.folder import SearchFolder
from hpsearch.journal import Journal, open_journals
from hpsearch.locks import placement_lock
from hpsearch.machine import choose_slots
from hpsearch.others import Others
from hpsearch.preparation import prepare
from hpsearch.progress import Progress
from hpsearch.records import Configuration, Run
from hpsearch.results import ResultsView, row_of
from hpsearch.retries import RetryPolicy, again
from hpsearch.search import Task, make_search
from hpsearch.session import logging_to, own_journal, stop_signals
from hpsearch.states import ACTIVE, RunHistory, SearchState, State
from hpsearch.view import View, open_view
from hpsearch.wakeup import Wakeup

if TYPE_CHECKING:
    from hpsearch.provenance import Provenance

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class Conducted:
    """A search that was worked on.

    Attributes:
        folder: Where.
        configuration: What.
        results: Its table.
        state: Its runs.
        total: Number of runs that are wanted.
        withdrawn: Runs of the plan that are not wanted any more.
        outcome: How the work ended.
    """

    folder: SearchFolder
    configuration: Configuration
    results: ResultsView
    state: SearchState
    total: int
    withdrawn: frozenset[str]
    outcome: Outcome

    @property
    def counts(self) -> Counter[str]:
        """How many runs are in each state; those that have no events yet are planned."""
        wanted = [history for name, history in self.state.runs.items() if name not in self.withdrawn]
        counts = Counter(history.state.value for history in wanted)
        counts['planned'] += self.total - len(wanted)
        return counts

    @property
    def all_finished(self) -> bool:
        """Whether every run of the plan has finished."""
        return self.counts[State.FINISHED.value] == self.total


@dataclass(frozen=True)
class Workplace:
    """What a process works with, whatever the search."""

    view: View
    wakeup: Wakeup
    stack: ExitStack


@contextmanager
def workplace(args: argparse.Namespace) -> Iterator[Workplace]:
    """The terminal, the log and the signals of this process."""
    with ExitStack() as stack:
        view = stack.enter_context(open_view(sys.stdout, sys.stderr, quiet=args.quiet))
        stack.enter_context(logging_to(view, args.log_level))
        yield Workplace(view, stack.enter_context(Wakeup()), stack)


def conduct(args: argparse.Namespace) -> Conducted:
    """Make a search and work on it until it ends.

    Raises:
        HpsearchError: It cannot be started.
    """
    _refuse_cluster(args)
    prepared = prepare(args)
    with workplace(args) as place:
        for note in prepared.notes:
            log.info(note)
        slots, echo = choose_slots(args, place.wakeup)
        place.stack.callback(slots.close)
        folder = make_search(prepared)
        task = Task(folder, prepared.configuration, str(prepared.run_cwd), prepared.interpreter)
        return work(task, place, slots, args, Manner(echo=echo, reuse=tuple(args.reuse)))


def resume(args: argparse.Namespace) -> Conducted:
    """Join a search that exists and work on it until it ends.

    Raises:
        HpsearchError: It cannot be resumed.
    """
    from hpsearch.reopening import check_owner, extend_plan, merged_options, reopen

    folder = SearchFolder(args.dir)
    info = folder.read_info()
    check_owner(folder, trust=args.trust)
    options = merged_options(info, args)
    _refuse_cluster(options)
    with workplace(options) as place:
        if args.extend:
            extension = extend_plan(folder, info, options)
            log.info('%d runs added, %d withdrawn', len(extension.added), len(extension.withdrawn))
            info = folder.read_info()
        task = reopen(folder, info)
        slots, echo = choose_slots(options, place.wakeup)
        place.stack.callback(slots.close)
        manner = Manner(
            echo=echo,
            waits_for_others=args.waits_for_others,
            declared_dead=tuple(args.host_is_dead),
            retry_failed=args.retry_failed,
            reuse=tuple(getattr(args, 'reuse', ())),
        )
        return work(task, place, slots, options, manner)


def end_runs(folder: SearchFolder, args: argparse.Namespace) -> Conducted:
    """Take over the runs of a search that nobody looks after, and end them.

    Raises:
        HpsearchError: It cannot be done.
    """
    from hpsearch.reopening import reopen

    with workplace(args) as place:
        task = reopen(folder, folder.read_info())
        manner = Manner(stop_at_once=True, waits_for_others=False)
        return work(task, place, FixedSlots(1), args, manner)


def _refuse_cluster(args: argparse.Namespace) -> None:
    if args.run_cluster:
        raise ConfigError(['--run_cluster: this version runs searches on this machine only.'])


@dataclass(frozen=True)
class Manner:
    """How this process works on a search, beside what the options say.

    Attributes:
        echo: The output of a run is shown.
        waits_for_others: Stay until the attempts of other writers have ended.
        declared_dead: Hosts that the user said are dead.
        retry_failed: Failed runs get one more attempt.
        reuse: Earlier searches whose results are taken.
        stop_at_once: End what runs instead of starting anything.
    """

    echo: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    retry_failed: bool = False
    reuse: tuple[str, ...] = ()
    stop_at_once: bool = False


def work(task: Task, place: Workplace, slots: SlotSource, args: argparse.Namespace, manner: Manner) -> Conducted:
    """Work on a search until it ends."""
    folder = task.folder
    state, reader = open_journals(folder)
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('journal: %s', odd)
    results = results_view(folder, task.configuration)
    options = options_of(args, manner)
    host = writers.this_host()
    with own_journal(folder, host) as journal, stop_signals(1 if manner.stop_at_once else 0) as stops:
        take_earlier_results(task, manner.reuse, state, journal)
        progress = progress_of(task, state)
        backend = LocalBackend(folder, task.run_cwd, slots, place.wakeup)
        place.stack.callback(backend.close)
        others = Others(
            folder=folder,
            own=journal.writer,
            reader=reader,
            state=state,
            writers=writers.Writers(folder, host, manner.declared_dead),
            is_running=backend.is_running,
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
            stops=stops,
            lock=placement_lock(folder),
            provenance=LateProvenance(task),
            afterwards=lambda: load_results(task, state, results, progress),
        )
        outcome = dispatcher.run()
    return Conducted(folder, task.configuration, results, state, task.total, task.withdrawn, outcome)


def take_earlier_results(task: Task, earlier: Sequence[str], state: SearchState, journal: Journal) -> None:
    """Do without the runs whose results other searches have already.

    Raises:
        SearchFolderError: One of the folders is no search, or cannot be read.
    """
    if not earlier:
        return
    from hpsearch.reuse import reuse_results

    taken = reuse_results(task.folder, earlier, task.configuration.summary_keywords, state, journal)
    log.info('%d runs are taken from earlier searches', taken)


class LateProvenance:
    """Finds out with which code the runs are made; what that takes is imported when the first run was started.

    Args:
        task: The search.
    """

    def __init__(self, task: Task) -> None:
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
        from hpsearch.provenance import Provenance, code_files

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


def progress_of(task: Task, state: SearchState) -> Progress:
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


def options_of(args: argparse.Namespace, manner: Manner) -> Options:
    """How the search is worked on."""
    return Options(
        fail_fast=args.fail_fast,
        grace=args.stop_grace,
        retry=RetryPolicy(args.max_attempts, args.retries, manner.retry_failed),
        echo=manner.echo,
        waits_for_others=manner.waits_for_others,
    )


def runs_to_start(task: Task, state: SearchState, retry: RetryPolicy) -> Iterator[Run]:
    """The runs of the plan that nobody has finished and nobody works on, in order."""
    for run in task.folder.read_runs():
        if run.name not in task.withdrawn and _needs_a_start(state.runs.get(run.name), retry):
            yield run


def _needs_a_start(history: RunHistory | None, retry: RetryPolicy) -> bool:
    if history is None or not history.attempts:
        return True
    return history.state not in ACTIVE and bool(again(history.attempts, retry, is_taken_up=True))


def load_results(task: Task, state: SearchState, results: ResultsView, progress: Progress) -> None:
    """Put the rows of runs that ended before this process began into its table, and their logs into their place."""
    if not state.runs:
        return
    for run in task.folder.read_runs():
        history = state.runs.get(run.name)
        ended = history.deciding if history else None
        if ended is None or ended.state in ACTIVE or results.has(run.name):
            continue
        output = task.folder.output(run.name)
        out_arg = task.configuration.out_arg
        row = row_of(run, output, out_arg, ended.summary, ended.state.value, ended.reason, ended.seconds)
        results.put(row)
        progress.result(row)
        if has_unshown_logs(task.folder, run.name, ended.number):
            show_logs(task.folder, task.configuration, run, ended.number)


def results_view(folder: SearchFolder, configuration: Configuration) -> ResultsView:
    """The table of a search."""
    return ResultsView(
        folder.results_csv,
        configuration.performance_key,
        configuration.performance_ascending,
        expected=tuple(configuration.summary_keywords),
    )
