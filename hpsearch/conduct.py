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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from hpsearch.backends.base import Backend
from hpsearch.backends.local import LocalBackend
from hpsearch.backends.slots import FixedSlots, GpuSlots, SlotSource
from hpsearch.config import plain_attributes
from hpsearch.dispatcher import Dispatcher, Options, Outcome
from hpsearch.errors import ConfigError, SearchFolderError
from hpsearch.folder import SearchFolder
from hpsearch.gpus import GpuMonitor, open_gpus
from hpsearch.journal import Journal, writer_name
from hpsearch.placement import choose_visible
from hpsearch.plan import PlanSummary
from hpsearch.preparation import Prepared, prepare
from hpsearch.process import boot_id, pid_namespace, start_ticks
from hpsearch.records import Configuration, GpuPolicy
from hpsearch.results import ResultsView
from hpsearch.search import keep_copy, make_folder
from hpsearch.states import SearchState, State
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
        total: Number of runs of the plan.
        outcome: How the work ended.
    """

    folder: SearchFolder
    configuration: Configuration
    results: ResultsView
    state: SearchState
    total: int
    outcome: Outcome

    @property
    def all_finished(self) -> bool:
        """Whether every run of the plan has finished."""
        finished = sum(history.state is State.FINISHED for history in self.state.runs.values())
        return finished == self.total


def conduct(args: argparse.Namespace) -> Conducted:
    """Make a search and work on it until it ends.

    Raises:
        HpsearchError: It cannot be started.
    """
    if args.run_cluster:
        raise ConfigError(['--run_cluster: this version runs searches on this machine only.'])
    prepared = prepare(args)
    with ExitStack() as stack:
        view = stack.enter_context(open_view(sys.stdout, sys.stderr, quiet=args.quiet))
        stack.enter_context(logging_to(view, args.log_level))
        wakeup = stack.enter_context(Wakeup())
        for note in prepared.notes:
            log.info(note)
        slots, echo = choose_slots(args, wakeup)
        stack.callback(slots.close)
        stops = stack.enter_context(stop_signals())
        folder, planned = make_search(prepared)
        journal = stack.enter_context(own_journal(folder))
        backend = LocalBackend(folder, str(prepared.run_cwd), slots, wakeup)
        stack.callback(backend.close)
        dispatcher = wire(folder, prepared.configuration, planned.runs, journal, backend, view, stops, args, echo=echo)
        outcome = dispatcher.run()
    return Conducted(folder, prepared.configuration, dispatcher.results, dispatcher.state, planned.runs, outcome)


def wire(
    folder: SearchFolder,
    configuration: Configuration,
    total: int,
    journal: Journal,
    backend: Backend,
    view: View,
    stops: Callable[[], int],
    args: argparse.Namespace,
    *,
    echo: bool,
) -> Dispatcher:
    """The dispatcher of a search."""
    return Dispatcher(
        folder=folder,
        configuration=configuration,
        runs=folder.read_runs(),
        total=total,
        state=SearchState(),
        journal=journal,
        backend=backend,
        results=results_view(folder, configuration),
        view=view,
        options=Options(fail_fast=args.fail_fast, grace=args.stop_grace, echo=echo),
        stops=stops,
    )


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


def make_search(prepared: Prepared) -> tuple[SearchFolder, PlanSummary]:
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
    return folder, summary


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
        'user': _user(),
        'created': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


# This process


@contextmanager
def own_journal(folder: SearchFolder) -> Iterator[Journal]:
    """The journal of this process, closed at the end."""
    host, pid = socket.gethostname(), os.getpid()
    writer = writer_name(host, pid, time.time(), secrets.token_hex(2))
    header = {
        'host': host,
        'boot': boot_id(),
        'namespace': pid_namespace(),
        'pid': pid,
        'ticks': start_ticks(pid),
        'user': _user(),
        'at': round(time.time(), 3),
    }
    journal = Journal(folder, writer, header)
    try:
        yield journal
    finally:
        journal.append({'event': 'closed', 'at': round(time.time(), 3)})
        journal.close()


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Counts Ctrl-C and TERM; losing the terminal (HUP) changes nothing."""
    asked = 0

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
