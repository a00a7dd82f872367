"""What a cluster has to offer: its queue system, and a backend for it made from the options."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.host.wakeup import Wakeup
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError

if TYPE_CHECKING:
    from hpsearch.backends.base import Backend
    from hpsearch.backends.queue.arrays import QueueSettings
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.pilots import PilotSettings
    from hpsearch.backends.queue.poller import JobPoller
    from hpsearch.backends.queue.submission import QueueContext
    from hpsearch.cli.backend_factory import BackendContext
    from hpsearch.store.folder import SearchFolder

ANSWER_TIMEOUT = 10.0
"""Seconds a queue system may take to answer a question at the start."""

WARNING_SECONDS = 60
"""How long before its time limit a resumable run is told."""

PILOT_WARNING = 30
"""How long before the time limit, beside the grace of its runs, a job that works on the search is told to end."""

WARNING_MAY_BE_EARLY = 60
"""Seconds by which that may come too early: Slurm looks at time limits every half minute, and warns ahead of that."""

MEMORY_FACTOR = 4
"""How many times what a job has a run may be given when it ran out of memory, unless it is said."""


def choose_system(args: argparse.Namespace) -> BatchSystem:
    """The queue system that was asked for.

    Raises:
        ConfigError: It is not there, or cannot do what is asked for.
    """
    system = system_named(args.scheduler, args)
    missing = [program for program in system.programs if shutil.which(program) is None]
    if missing:
        other = 'lsf' if args.scheduler == 'slurm' else 'slurm'
        raise ConfigError(
            [
                f'--scheduler={args.scheduler}: {", ".join(missing)} not found on PATH. Is this a machine from which '
                f'jobs are submitted? The other choice is --scheduler={other}. hpsearch status and '
                'hpsearch-postprocess work without them.'
            ]
        )
    check_options(system)
    return system


def check_options(system: BatchSystem) -> None:
    """See to it that a queue system can do what the options ask for.

    Raises:
        ConfigError: It cannot.
    """
    if system.unsupported:
        raise ConfigError([system.unsupported])


def system_named(name: str, args: argparse.Namespace) -> BatchSystem:
    """The queue system of a name, whether it is there or not."""
    return _slurm(args) if name == 'slurm' else _lsf(args)


def _slurm(args: argparse.Namespace) -> BatchSystem:
    from hpsearch.backends.queue.slurm.system import Slurm, SlurmOptions

    return Slurm(
        SlurmOptions(
            mem=args.slurm_mem,
            gres=args.slurm_gres,
            partition=args.slurm_partition,
            qos=args.slurm_qos,
            constraint=args.slurm_constraint,
            account=args.slurm_account,
            time=args.slurm_time,
            cpus=args.slurm_cpus,
            extra=tuple(args.slurm_extra),
            hours=args.num_hours,
        )
    )


def _lsf(args: argparse.Namespace) -> BatchSystem:
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.lsf.system import Lsf, LsfOptions

    options = LsfOptions(
        resources=args.resources,
        queue=args.lsf_queue,
        project=args.lsf_project,
        gpu=args.lsf_gpu,
        extra=tuple(args.lsf_extra),
        hours=args.num_hours,
    )
    # Where there is no LSF to be asked, a plan is made for the only one that knows all that is asked for.
    is_planned = bool(options.gpu) and shutil.which('bsub') is None
    return Lsf(options, Dialect.IBM if is_planned else _dialect())


@cache
def _dialect() -> Dialect:
    """Which LSF there is, asked once; what only some know is not used where it cannot be told."""
    from hpsearch.backends.queue.commands import execute, in_english
    from hpsearch.backends.queue.lsf.parsing import parse_dialect
    from hpsearch.backends.queue.lsf.system import DIALECT_ARGV

    return parse_dialect(execute(DIALECT_ARGV, in_english(os.environ), b'', ANSWER_TIMEOUT))


def queue_settings(args: argparse.Namespace, configuration: Configuration, memory: int | None) -> QueueSettings:
    """How jobs are made.

    Args:
        args: The options.
        configuration: What is run.
        memory: MiB a job has, or None.
    """
    from hpsearch.backends.queue.arrays import QueueSettings

    signal, warning = _warning(args.signal, resumable=configuration.resumable)
    return QueueSettings(
        num_jobs=args.num_jobs,
        holds=not args.submit_only,
        prologue=prologue(args, configuration),
        signal=signal,
        warning=warning,
        most_memory=most_memory(args, memory),
    )


def most_memory(args: argparse.Namespace, memory: int | None) -> int | None:
    """MiB that a run which ran out of memory is given at most; None: there is no bound.

    Args:
        args: The options.
        memory: MiB a job has, or None.
    """
    from hpsearch.backends.queue.slurm.system import in_mib

    return in_mib(args.max_job_mem) or (memory * MEMORY_FACTOR if memory else None)


def prologue(args: argparse.Namespace, configuration: Configuration) -> str:
    """The shell lines before a run: those of the site, then those of the configuration, whose shell wins."""
    site, own = str(getattr(args, 'job_prologue', '')).rstrip(), configuration.job_prologue
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


def own_job(environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The queue job this process runs in, or None."""
    for name, variable in (('slurm', 'SLURM_JOB_ID'), ('lsf', 'LSB_JOBID')):
        if environ.get(variable) and (job := _job_id(name, environ)):
            return {'queue': name, 'id': job}
    return None


def limit_signals(job: Mapping[str, str] | None) -> tuple[signal.Signals, ...]:
    """What a queue sends the processes of a job at its time limit, in place of TERM.

    Args:
        job: What :func:`own_job` says.
    """
    return (signal.SIGUSR2,) if job is not None and job['queue'] == 'lsf' else ()


def job_end(args: argparse.Namespace, begin: float, environ: Mapping[str, str] = os.environ) -> float | None:
    """When the queue job this process runs in reaches its time limit, in seconds since 1970; None: not known.

    Args:
        args: The options.
        begin: When this process began, in seconds since 1970.
        environ: Its environment.
    """
    job = own_job(environ)
    if job is None:
        return None
    if job['queue'] == 'slurm':
        return _slurm_job_end(job['id'], begin, environ)
    return begin + 3600 * args.num_hours if args.runs_per_job else None


def _slurm_job_end(job: str, begin: float, environ: Mapping[str, str]) -> float | None:
    from hpsearch.backends.queue.batch_system import environment_outside_jobs
    from hpsearch.backends.queue.commands import execute
    from hpsearch.backends.queue.slurm import parsing as slurm_answers
    from hpsearch.backends.queue.slurm import system as slurm

    known = slurm.job_end(environ)
    if known is not None:
        return known
    left = slurm_answers.parse_time_left(
        execute(slurm.time_left_argv(job), environment_outside_jobs(environ), b'', ANSWER_TIMEOUT)
    )
    return None if left is None else begin + left


def _job_id(name: str, environ: Mapping[str, str]) -> str:
    if name == 'slurm':
        from hpsearch.backends.queue.slurm import system as slurm

        return slurm.own_job(environ)
    from hpsearch.backends.queue.lsf import system as lsf

    return lsf.own_job(environ)


def make_queue_backend(args: argparse.Namespace, system: BatchSystem, bench: BackendContext) -> Backend:
    """A backend that makes jobs: one per run, or pilots, which work on the search by themselves."""
    from hpsearch.backends.queue.submission import QueueContext

    runner, poller = open_watch(system, args.queue_interval, bench.place.wakeup)
    context = QueueContext(
        folder=bench.task.folder,
        cwd=bench.task.run_cwd,
        system=system,
        runner=runner,
        poller=poller,
        wakeup=bench.place.wakeup,
        note=bench.note,
    )
    if args.runs_per_job:
        return _pilot_backend(args, context, bench)
    from hpsearch.backends.queue.backend import QueueBackend

    settings = queue_settings(args, bench.task.configuration, system.memory)
    return QueueBackend(context, settings, {name: each.job for name, each in bench.state.submissions.items()})


def _pilot_backend(args: argparse.Namespace, context: QueueContext, bench: BackendContext) -> Backend:
    from hpsearch.backends.queue.pilots import PilotBackend, Pilots, Workload

    settings = pilot_settings(args, bench.task.folder, bench.task.configuration)
    pilots = Pilots(context, settings, bench.state.submissions.values())
    return PilotBackend(context, pilots, lambda: Workload(bench.planned(), bench.state.started))


def pilot_settings(args: argparse.Namespace, folder: SearchFolder, configuration: Configuration) -> PilotSettings:
    """How jobs that work on a search are made."""
    from hpsearch.backends.queue.pilots import PilotSettings

    return PilotSettings(
        num_jobs=args.num_jobs,
        runs_per_job=args.runs_per_job,
        argv=pilot_argv(folder, args),
        prologue=prologue(args, configuration),
        warning=math.ceil(args.stop_grace) + PILOT_WARNING,
        holds=not args.submit_only,
    )


def pilot_argv(folder: SearchFolder, args: argparse.Namespace) -> tuple[str, ...]:
    """The command of a job that works on a search; it needs neither PATH nor PYTHONPATH of where it was submitted."""
    root = Path(__file__).resolve().parents[2]
    starter = 'import sys; sys.path.insert(0, sys.argv.pop(1)); from hpsearch.cli.main import main; sys.exit(main())'
    options = [f'--runs_per_job={args.runs_per_job}', f'--stop_grace={args.stop_grace}', '--quiet']
    return (sys.executable, '-c', starter, str(root), 'join', str(folder.path), *options)


def open_watch(system: BatchSystem, interval: float, wakeup: Wakeup) -> tuple[BackgroundRunner, JobPoller]:
    """What executes the commands of a queue system, and what knows its jobs."""
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.poller import JobPoller

    commands = BackgroundRunner(system.environment(os.environ), wakeup.poke)
    return commands, JobPoller(system, commands, interval)


class JobAsker:
    """Says whether a queue job in which another writer worked has ended; asks only when it is asked.

    Args:
        args: The options.
        wakeup: Woken by answers.
    """

    def __init__(self, args: argparse.Namespace, wakeup: Wakeup, clock: Callable[[], float] = time.monotonic) -> None:
        self._args = args
        self._wakeup = wakeup
        self._clock = clock
        self._watches: dict[str, tuple[BackgroundRunner, JobPoller]] = {}

    def __call__(self, job: Mapping[str, str]) -> bool:
        name = job['queue']
        if name not in self._watches:
            system = system_named(name, self._args)
            self._watches[name] = open_watch(system, self._args.queue_interval, self._wakeup)
        commands, watch = self._watches[name]
        commands.deliver()
        watch.poll(self._clock())
        return watch.has_ended(job['id'])
