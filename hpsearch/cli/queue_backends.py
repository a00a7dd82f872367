"""Backends that submit jobs to the queue of a cluster, and what they are made of."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.backends.queue.own_job import ANSWER_TIMEOUT
from hpsearch.cli.context import BackendContext
from hpsearch.cli.options import ClusterOptions, SearchOptions
from hpsearch.host.signals import Wakeup
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.queue.arrays import QueueSettings
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.pilots import PilotSettings
    from hpsearch.backends.queue.poller import JobPoller
    from hpsearch.backends.queue.submission import QueueContext

WARNING_SECONDS = 60
"""Seconds before its time limit at which a resumable run is signalled."""

PILOT_WARNING = 30
"""Seconds, beside the grace of its runs, before the time limit at which a job that works on the search is signalled."""

WARNING_MAY_BE_EARLY = 60
"""Seconds by which that signal may be early: Slurm checks time limits every half minute, and signals ahead of that."""

MEMORY_FACTOR = 4
"""How many times the memory of a job a run that ran out of it is given at most, by default."""


def choose_system(options: SearchOptions) -> BatchSystem:
    """The queue system that was requested.

    Raises:
        ConfigError: It is not installed, or cannot do what was requested.
    """
    name = options.cluster.scheduler
    system = system_named(name, options)
    missing = [program for program in system.programs if shutil.which(program) is None]
    if missing:
        other = 'lsf' if name == 'slurm' else 'slurm'
        raise ConfigError(
            [
                f'--scheduler={name}: {", ".join(missing)} not found on PATH. Are jobs submitted from this machine? '
                f'The other choice is --scheduler={other}. hpsearch status and hpsearch-postprocess work without them.'
            ]
        )
    check_options(system)
    return system


def check_options(system: BatchSystem) -> None:
    """Check that a queue system supports what the options request.

    Raises:
        ConfigError: It does not.
    """
    if system.unsupported:
        raise ConfigError([system.unsupported])


def system_named(name: str, options: SearchOptions) -> BatchSystem:
    """The queue system of a name, whether it is installed or not."""
    return _slurm(options) if name == 'slurm' else _lsf(options)


def _slurm(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.slurm.system import Slurm, SlurmOptions

    chosen = options.sbatch
    return Slurm(
        SlurmOptions(
            mem=chosen.slurm_mem,
            gres=chosen.slurm_gres,
            partition=chosen.slurm_partition,
            qos=chosen.slurm_qos,
            constraint=chosen.slurm_constraint,
            account=chosen.slurm_account,
            time=chosen.slurm_time,
            cpus=chosen.slurm_cpus,
            extra=chosen.slurm_extra,
            hours=options.cluster.num_hours,
        )
    )


def _lsf(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.lsf.system import Lsf, LsfOptions

    chosen = options.bsub
    lsf_options = LsfOptions(
        resources=chosen.resources,
        queue=chosen.lsf_queue,
        project=chosen.lsf_project,
        gpu=chosen.lsf_gpu,
        extra=chosen.lsf_extra,
        hours=options.cluster.num_hours,
    )
    # Where no LSF can be asked, a plan is made for the only one that supports every option.
    is_planned = bool(chosen.lsf_gpu) and shutil.which('bsub') is None
    return Lsf(lsf_options, Dialect.IBM if is_planned else _dialect())


@cache
def _dialect() -> Dialect:
    """Which LSF is installed, asked once; where that is unknown, nothing is used that only some support."""
    from hpsearch.backends.queue.commands import execute, in_english
    from hpsearch.backends.queue.lsf.parsing import parse_dialect
    from hpsearch.backends.queue.lsf.system import DIALECT_ARGV

    return parse_dialect(execute(DIALECT_ARGV, in_english(os.environ), b'', ANSWER_TIMEOUT))


def queue_settings(options: SearchOptions, configuration: Configuration, memory: int | None) -> QueueSettings:
    """How jobs are made.

    Args:
        options: Of the search.
        configuration: What is run.
        memory: MiB a job has, or None.
    """
    from hpsearch.backends.queue.arrays import QueueSettings

    cluster = options.cluster
    signal, warning = _warning(cluster.signal, resumable=configuration.resumable)
    return QueueSettings(
        num_jobs=cluster.num_jobs,
        holds=not cluster.submit_only,
        prologue=prologue(cluster, configuration),
        signal=signal,
        warning=warning,
        most_memory=most_memory(options, memory),
    )


def most_memory(options: SearchOptions, memory: int | None) -> int | None:
    """MiB that a run which ran out of memory is given at most; None: there is no bound.

    Args:
        options: Of the search.
        memory: MiB a job has, or None.
    """
    from hpsearch.backends.queue.slurm.system import in_mib

    return in_mib(options.cluster.max_job_mem) or (memory * MEMORY_FACTOR if memory else None)


def prologue(options: ClusterOptions, configuration: Configuration) -> str:
    """The shell lines before a run: those of the site, then those of the configuration, whose shell is used."""
    site, own = options.job_prologue.rstrip(), configuration.job_prologue
    if not (site and own.startswith('#!')):
        return '\n'.join(filter(None, (site, own)))
    shell, _, rest = own.partition('\n')
    _, _, without_shell = site.partition('\n') if site.startswith('#!') else ('', '', site)
    return '\n'.join((shell, without_shell, rest))


def _warning(text: str, *, resumable: bool) -> tuple[str, int]:
    """Which signal, and how many seconds before the time limit."""
    if text == 'none' or not (text or resumable):
        return '', 0
    name, _, seconds = (text or f'TERM@{WARNING_SECONDS}').partition('@')
    return name, int(seconds)


def make_queue_backend(
    options: SearchOptions, system: BatchSystem, context: BackendContext
) -> AttemptBackend | PilotBackend:
    """A backend that submits jobs: one per run, or pilots, which work on the search by themselves."""
    from hpsearch.backends.queue.submission import QueueContext

    runner, poller = open_poller(system, options.cluster.queue_interval, context.place.wakeup)
    queue = QueueContext(
        folder=context.task.folder,
        cwd=context.task.run_cwd,
        system=system,
        runner=runner,
        poller=poller,
        wakeup=context.place.wakeup,
        note=context.note,
    )
    if options.cluster.runs_per_job:
        return _pilot_backend(options, queue, context)
    from hpsearch.backends.queue.backend import QueueBackend

    settings = queue_settings(options, context.task.configuration, system.memory)
    return QueueBackend(queue, settings, {name: each.job for name, each in context.state.submissions.items()})


def _pilot_backend(options: SearchOptions, queue: QueueContext, context: BackendContext) -> PilotBackend:
    from hpsearch.backends.queue.pilots import Pilots, QueuedPilots

    settings = pilot_settings(options, context.task.folder, context.task.configuration)
    return QueuedPilots(queue, Pilots(queue, settings, context.state.submissions.values()))


def pilot_settings(options: SearchOptions, folder: SearchFolder, configuration: Configuration) -> PilotSettings:
    """How jobs that work on a search are made."""
    from hpsearch.backends.queue.pilots import PilotSettings

    return PilotSettings(
        num_jobs=options.cluster.num_jobs,
        runs_per_job=options.cluster.runs_per_job,
        argv=pilot_argv(folder, options),
        prologue=prologue(options.cluster, configuration),
        warning=math.ceil(options.execution.stop_grace) + PILOT_WARNING,
        holds=not options.cluster.submit_only,
    )


def pilot_argv(folder: SearchFolder, options: SearchOptions) -> tuple[str, ...]:
    """The command of a job that works on a search; it needs neither PATH nor PYTHONPATH of where it was submitted."""
    root = Path(__file__).resolve().parents[2]
    starter = 'import sys; sys.path.insert(0, sys.argv.pop(1)); from hpsearch.cli.main import main; sys.exit(main())'
    runs, grace = f'--runs_per_job={options.cluster.runs_per_job}', f'--stop_grace={options.execution.stop_grace}'
    return (sys.executable, '-c', starter, str(root), 'join', str(folder.path), runs, grace, '--quiet')


def open_poller(system: BatchSystem, interval: float, wakeup: Wakeup) -> tuple[BackgroundRunner, JobPoller]:
    """What executes the commands of a queue system, and what polls its jobs."""
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.poller import JobPoller

    runner = BackgroundRunner(system.environment(os.environ), wakeup.poke)
    return runner, JobPoller(system, runner, interval)


class JobAsker:
    """Says whether the queue job of another writer has ended; a queue is queried only when there is such a question.

    Args:
        options: Of the search.
        wakeup: Woken by answers.
        clock: Monotonic seconds.
    """

    def __init__(self, options: SearchOptions, wakeup: Wakeup, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._wakeup = wakeup
        self._clock = clock
        self._pollers: dict[str, tuple[BackgroundRunner, JobPoller]] = {}

    def __call__(self, job: Mapping[str, str]) -> bool:
        name = job['queue']
        if name not in self._pollers:
            system = system_named(name, self._options)
            self._pollers[name] = open_poller(system, self._options.cluster.queue_interval, self._wakeup)
        runner, poller = self._pollers[name]
        runner.deliver()
        poller.poll(self._clock())
        return poller.has_ended(job['id'])
