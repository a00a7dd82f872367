"""How a backend is made that submits jobs: one per run, or some that work on the search by themselves."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.cli.backends.asking import open_poller
from hpsearch.cli.backends.job_time import pilot_margin, pilot_note
from hpsearch.cli.backends.prologue import prologue_of
from hpsearch.cli.context import BackendContext, MakeBackend
from hpsearch.cli.options import SearchOptions
from hpsearch.model.configuration import Configuration
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.queue.arrays import QueueSettings
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.pilots import PilotSettings
    from hpsearch.backends.queue.submission import QueueContext

log = logging.getLogger('hpsearch')

WARNING_SECONDS = 60
"""Seconds before its time limit at which a resumable run is signalled."""

MEMORY_FACTOR = 4
"""How many times the memory of a job a run that ran out of it is given at most, by default."""


def queue_backend(options: SearchOptions, system: BatchSystem) -> MakeBackend:
    """How a backend is made that submits to a queue system."""
    return partial(_queue_backend, options, system)


def _queue_backend(
    options: SearchOptions, system: BatchSystem, context: BackendContext
) -> AttemptBackend | PilotBackend:
    """A backend that submits jobs: one per run, or pilots, which work on the search by themselves."""
    from hpsearch.backends.queue.submission import QueueContext

    runner, poller = open_poller(system, options.cluster.queue_interval, context.wakeup)
    queue = QueueContext(
        folder=context.search.folder,
        cwd=context.search.run_cwd,
        system=system,
        runner=runner,
        poller=poller,
        wakeup=context.wakeup,
        note=context.note,
    )
    if options.cluster.runs_per_job:
        return _pilot_backend(options, queue, context)
    from hpsearch.backends.queue.backend import QueueBackend

    settings = queue_settings(options, context.search.configuration, system.memory)
    settings = replace(settings, declared_dead=context.declared_dead)
    known = {name: each.job for name, each in context.state.submissions.items()}
    return QueueBackend(queue, settings, known, context.state)


def _pilot_backend(options: SearchOptions, queue: QueueContext, context: BackendContext) -> PilotBackend:
    from hpsearch.backends.queue.pilots import Pilots, QueuedPilots

    settings = pilot_settings(options, context.search.folder, context.search.configuration)
    if note := pilot_note(options, queue.system, context.state):
        log.warning(note)
    return QueuedPilots(queue, Pilots(queue, settings, context.state.submissions.values()), context.state)


def queue_settings(options: SearchOptions, configuration: Configuration, memory: int | None) -> QueueSettings:
    """How jobs of one run each are made; ``memory`` is the MiB that a job has, or None."""
    from hpsearch.backends.queue.arrays import QueueSettings

    cluster = options.cluster
    signal, warning = _warning(cluster.signal, resumable=configuration.resumable)
    return QueueSettings(
        num_jobs=cluster.num_jobs,
        holds=not cluster.submit_only,
        prologue=prologue_of(cluster, configuration),
        signal=signal,
        warning=warning,
        most_memory=most_memory(options, memory),
        most_attempts=cluster.num_jobs if options.is_adaptive else None,
    )


def most_memory(options: SearchOptions, memory: int | None) -> int | None:
    """MiB that a run which ran out of memory is given at most, None: no bound; ``memory`` is what a job has."""
    from hpsearch.backends.queue.slurm.system import in_mib

    return in_mib(options.cluster.max_job_mem) or (memory * MEMORY_FACTOR if memory else None)


def _warning(text: str, *, resumable: bool) -> tuple[str, int]:
    """Which signal, and how many seconds before the time limit."""
    if text == 'none' or not (text or resumable):
        return '', 0
    name, _, seconds = (text or f'TERM@{WARNING_SECONDS}').partition('@')
    return name, int(seconds)


def pilot_settings(options: SearchOptions, folder: SearchFolder, configuration: Configuration) -> PilotSettings:
    """How jobs that work on a search are made."""
    from hpsearch.backends.queue.pilots import PilotSettings

    runs = options.cluster.runs_per_job
    return PilotSettings(
        num_jobs=options.cluster.num_jobs,
        runs_per_job=runs if isinstance(runs, int) else 1,  # how many more each may have is seen only in the job
        argv=_pilot_argv(folder, options),
        prologue=prologue_of(options.cluster, configuration),
        warning=pilot_margin(options.execution.stop_grace),
        holds=not options.cluster.submit_only,
    )


def _pilot_argv(folder: SearchFolder, options: SearchOptions) -> tuple[str, ...]:
    """The command of a job that works on a search; it needs neither PATH nor PYTHONPATH of where it was submitted.

    What this process trusts, its jobs do.
    """
    root = Path(__file__).resolve().parents[3]
    starter = 'import sys; sys.path.insert(0, sys.argv.pop(1)); from hpsearch.cli.main import main; sys.exit(main())'
    runs, grace = f'--runs_per_job={options.cluster.runs_per_job}', f'--stop_grace={options.execution.stop_grace}'
    trust = () if folder.only_ours else ('--trust',)
    return (sys.executable, '-c', starter, str(root), 'join', str(folder.path), runs, grace, '--quiet', *trust)
