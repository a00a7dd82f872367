"""Conducting a search: its folder, its journal, its backend and its view are made here and handed to the dispatcher."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from hpsearch import writers
from hpsearch.backends.local import LocalBackend
from hpsearch.backends.slots import FixedSlots, GpuSlots, SlotSource
from hpsearch.config import from_plain, load_configuration, plain_attributes
from hpsearch.dispatcher import Dispatcher, Options, Outcome
from hpsearch.errors import ConfigError, SearchFolderError
from hpsearch.folder import SearchFolder
from hpsearch.gpus import GpuMonitor, open_gpus
from hpsearch.journal import Journal, JournalReader, writer_name
from hpsearch.locks import placement_lock
from hpsearch.options import add_search_options
from hpsearch.others import Others
from hpsearch.placement import choose_visible
from hpsearch.plan import PlanSummary
from hpsearch.preparation import Prepared, prepare
from hpsearch.process import start_ticks
from hpsearch.progress import Progress
from hpsearch.records import Configuration, GpuPolicy, Run
from hpsearch.results import ResultsView, row_of
from hpsearch.retries import RetryPolicy, again
from hpsearch.search import keep_copy, make_folder
from hpsearch.states import ACTIVE, RunHistory, SearchState, State
from hpsearch.view import View, open_view
from hpsearch.wakeup import Wakeup

log = logging.getLogger('hpsearch')

GPU_INTERVAL = 1.0
"""Seconds between two readings of a GPU."""


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
class Task:
    """A search to be worked on.

    Attributes:
        folder: Where.
        configuration: How its results are read.
        run_cwd: Working directory of its runs.
        withdrawn: Runs of the plan that are not wanted any more.
    """

    folder: SearchFolder
    configuration: Configuration
    run_cwd: str
    withdrawn: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Number of runs that are wanted."""
        return self.folder.count_runs() - len(self.withdrawn)


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
        task = Task(folder, prepared.configuration, str(prepared.run_cwd))
        return work(task, place, slots, args, Manner(echo=echo))


def resume(args: argparse.Namespace) -> Conducted:
    """Join a search that exists and work on it until it ends.

    Raises:
        HpsearchError: It cannot be resumed.
    """
    folder = SearchFolder(args.dir)
    info = folder.read_info()
    check_owner(folder, trust=args.trust)
    options = merged_options(info, args)
    _refuse_cluster(options)
    with workplace(options) as place:
        task = reopen(folder, info)
        slots, echo = choose_slots(options, place.wakeup)
        place.stack.callback(slots.close)
        manner = Manner(
            echo=echo,
            waits_for_others=args.waits_for_others,
            declared_dead=tuple(args.host_is_dead),
            retry_failed=args.retry_failed,
        )
        return work(task, place, slots, options, manner)


def end_runs(folder: SearchFolder, args: argparse.Namespace) -> Conducted:
    """Take over the runs of a search that nobody looks after, and end them.

    Raises:
        HpsearchError: It cannot be done.
    """
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
        stop_at_once: End what runs instead of starting anything.
    """

    echo: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    retry_failed: bool = False
    stop_at_once: bool = False


def work(task: Task, place: Workplace, slots: SlotSource, args: argparse.Namespace, manner: Manner) -> Conducted:
    """Work on a search until it ends."""
    folder, configuration = task.folder, task.configuration
    reader, state = JournalReader(folder), SearchState()
    state.replay(reader.news())
    for odd in [*reader.odd, *state.odd][:5]:
        log.warning('journal: %s', odd)
    results = results_view(folder, configuration)
    progress = Progress(
        folder=str(folder.path),
        total=task.total,
        state=state,
        key=configuration.performance_key,
        ascending=configuration.performance_ascending,
        varying=[option for option, values in configuration.grid.items() if len(values) > 1],
        begin=time.monotonic(),
    )
    retry = RetryPolicy(max_attempts=args.max_attempts, retries=args.retries)
    options = Options(
        fail_fast=args.fail_fast,
        grace=args.stop_grace,
        retry=retry,
        echo=manner.echo,
        waits_for_others=manner.waits_for_others,
    )
    host = writers.this_host()
    with own_journal(folder, host) as journal, stop_signals(1 if manner.stop_at_once else 0) as stops:
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
            configuration=configuration,
            runs=() if manner.stop_at_once else runs_to_start(task, state, retry, retry_failed=manner.retry_failed),
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
            afterwards=lambda: load_results(task, state, results, progress),
        )
        outcome = dispatcher.run()
    return Conducted(folder, configuration, results, state, task.total, task.withdrawn, outcome)


def runs_to_start(task: Task, state: SearchState, retry: RetryPolicy, *, retry_failed: bool) -> Iterator[Run]:
    """The runs of the plan that nobody has finished and nobody works on, in order."""
    for run in task.folder.read_runs():
        if run.name not in task.withdrawn and _needs_a_start(state.runs.get(run.name), retry, retry_failed):
            yield run


def _needs_a_start(history: RunHistory | None, retry: RetryPolicy, retry_failed: bool) -> bool:
    if history is None or not history.attempts:
        return True
    if history.state in ACTIVE:
        return False
    return bool(again(history.attempts, retry)) or (retry_failed and history.state is State.FAILED)


def load_results(task: Task, state: SearchState, results: ResultsView, progress: Progress) -> None:
    """Put the rows of runs that ended before this process began into its table."""
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


def results_view(folder: SearchFolder, configuration: Configuration) -> ResultsView:
    """The table of a search."""
    return ResultsView(
        folder.results_csv,
        configuration.performance_key,
        configuration.performance_ascending,
        expected=tuple(configuration.summary_keywords),
    )


# Where runs go


def choose_slots(args: argparse.Namespace, wakeup: Wakeup) -> tuple[SlotSource, bool]:
    """Where slots come from, and whether the output of the runs is shown.

    Raises:
        HpsearchError: The GPUs that were asked for cannot be used.
    """
    if args.cpu_jobs:
        return FixedSlots(args.cpu_jobs), args.cpu_jobs == 1
    if args.visible_gpus == '-1':
        return FixedSlots(1), True
    source = open_gpus()
    if source is None:
        log.warning('There is no GPU on this machine: one run after the other, as with --visible_gpus=-1.')
        return FixedSlots(1), True
    gpus, hidden = choose_visible(source.gpus, args.visible_gpus, os.environ.get('CUDA_VISIBLE_DEVICES'))
    log.info('GPUs: %s', ', '.join(f'{gpu.name} ({gpu.model})' for gpu in gpus))
    for name, reason in hidden.items():
        log.info('GPU %s is not used: %s', name, reason)
    if args.gpus_per_run > len(gpus):
        raise ConfigError([f'--gpus_per_run={args.gpus_per_run}: there are only {len(gpus)} GPUs to use.'])
    policy = policy_of(args)
    monitor = GpuMonitor(source, gpus, interval=GPU_INTERVAL, on_reading=wakeup.poke)
    return GpuSlots(monitor, gpus, policy), False


def policy_of(args: argparse.Namespace) -> GpuPolicy:
    """The thresholds of the command line."""
    return GpuPolicy(
        allowed_load=args.allowed_load,
        allowed_memory=args.allowed_memory,
        startup_time=args.sim_startup_time,
        max_runs_per_gpu=args.max_num_jobs_per_gpu,
        gpus_per_run=args.gpus_per_run,
    )


# The folder


def check_owner(folder: SearchFolder, *, trust: bool) -> None:
    """Refuse a search of somebody else: resuming it executes what its folder says.

    Raises:
        SearchFolderError: It belongs to somebody else and is not trusted.
    """
    owner = os.stat(folder.search_json).st_uid
    if owner != os.getuid() and not trust:
        raise SearchFolderError(
            f'{folder.path} belongs to user {_user_name(owner)}, and resuming it executes what it says: '
            'look at its commands.sh, then use --trust.'
        )


def merged_options(info: Mapping[str, Any], args: argparse.Namespace) -> argparse.Namespace:
    """The options of the search, with those that were given now in their place."""
    parser = argparse.ArgumentParser()
    add_search_options(parser)
    defaults = vars(parser.parse_args([]))
    return argparse.Namespace(**{**defaults, **info.get('options', {}), **vars(args)})


def reopen(folder: SearchFolder, info: Mapping[str, Any]) -> Task:
    """A search from its folder; only handles need the configuration's module.

    Raises:
        SearchFolderError: The folder is damaged.
    """
    try:
        plain = from_plain(info['configuration']['attributes'])
        configuration = with_handles(plain, info['configuration'])
        return Task(folder, configuration, info['run_cwd'], frozenset(info.get('withdrawn', ())))
    except (KeyError, TypeError) as error:
        raise SearchFolderError(f'{folder.search_json} is damaged: {error!r}.') from error


def with_handles(plain: Configuration, described: Mapping[str, Any]) -> Configuration:
    """The configuration with the callables that only its module has.

    A module that changed is told; one that cannot be imported any more is, too, and the built-in reader is used.
    """
    names = [name for name in described['attributes'].get('handles', ()) if name != 'constraints']
    if not names:
        return plain
    try:
        loaded = load_configuration(described['module'], cwd=Path(described['cwd']))
    except ConfigError as error:
        log.warning('%s cannot be used any more, so summaries are read by the built-in reader: %s', plain.source, error)
        return plain
    if loaded.sha256 != plain.sha256:
        log.warning('%s has changed since: the plan stays, but its handles are the new ones', plain.source)
    return replace(plain, **{name: getattr(loaded, name) for name in names})


def make_search(prepared: Prepared) -> SearchFolder:
    """Make the folder of a search, with its plan.

    Raises:
        SearchFolderError: It cannot be made or written.
    """
    args = prepared.args
    made = make_folder(prepared.out_dir, exactly=args.force_out_dir, may_exist=args.dont_force_new_dir)
    folder = made.folder
    log.info('Results go to %s', folder.path)
    plan = prepared.plan(folder.path, made.ident)
    try:
        for source in filter(None, (prepared.configuration.source, args.grid_config)):
            keep_copy(source, folder)
        folder.write_info(description(prepared))
        summary = plan.write(folder)
        folder.jobs_dir.mkdir()
    except OSError as error:
        raise SearchFolderError(f'{folder.path} cannot be written: {error.strerror}.') from error
    for note in [*summary.notes(), *plan.warnings()]:
        log.warning(note)
    log.info('%d runs are planned%s', summary.runs, _left_out(summary))
    return folder


def _left_out(summary: PlanSummary) -> str:
    parts = [f'{summary.duplicates} duplicates'] if summary.duplicates else []
    parts += [f'{summary.rejected} that constraints rule out'] if summary.rejected else []
    return f' ({", ".join(parts)} left out)' if parts else ''


def description(prepared: Prepared) -> dict[str, object]:
    """What ``search.json`` says of what was asked."""
    from hpsearch import __version__

    configuration = prepared.configuration
    return {
        'hpsearch': __version__,
        'configuration': {
            'module': prepared.args.grid_module,
            'source': configuration.source,
            'sha256': configuration.sha256,
            'cwd': os.getcwd(),
            'attributes': plain_attributes(configuration),
        },
        'argv': sys.argv,
        'options': vars(prepared.args),
        'run_cwd': str(prepared.run_cwd),
        'interpreter': prepared.interpreter,
        'resolved_interpreter': prepared.resolved_interpreter,
        'seed': prepared.order.seed,
        'python': sys.version.split()[0],
        'host': socket.gethostname(),
        'user': _user_name(os.getuid()),
        'created': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


# This process


@contextmanager
def own_journal(folder: SearchFolder, host: writers.Host) -> Iterator[Journal]:
    """The journal of this process, closed at the end."""
    pid = os.getpid()
    writer = writer_name(host.name, pid, time.time(), secrets.token_hex(2))
    header = {
        **host.as_header(),
        'pid': pid,
        'ticks': start_ticks(pid),
        'user': _user_name(os.getuid()),
        'at': round(time.time(), 3),
    }
    journal = Journal(folder, writer, header)
    try:
        yield journal
    finally:
        journal.append({'event': 'closed', 'at': round(time.time(), 3)})
        journal.close()


@contextmanager
def stop_signals(asked: int = 0) -> Iterator[Callable[[], int]]:
    """Counts Ctrl-C and TERM, from ``asked`` on; losing the terminal (HUP) changes nothing."""

    def count(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1

    earlier = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, count),
            (signal.SIGTERM, count),
            (signal.SIGHUP, _go_on),
        )
    }
    try:
        yield lambda: asked
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _go_on(number: int, frame: FrameType | None) -> None:
    """A handler rather than SIG_IGN, which the runs would inherit."""


class _ViewHandler(logging.Handler):
    """Shows log records in a view."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        is_serious = record.levelno >= logging.WARNING
        prefix = f'{record.levelname.lower()}: ' if is_serious else ''
        self._view.log(prefix + record.getMessage(), error=record.levelno >= logging.ERROR)


@contextmanager
def logging_to(view: View, level: str) -> Iterator[None]:
    """Send the messages of hpsearch to a view."""
    handler = _ViewHandler(view)
    log.addHandler(handler)
    log.setLevel(level.upper())
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
