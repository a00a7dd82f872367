"""The backend that the options request: GPUs or slots of this machine, or jobs in the queue of a cluster."""

from __future__ import annotations

import itertools
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import AttemptBackend, PilotBackend
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.backends.local.slots import FixedSlots, SharedSlots, SlotSource, TimeLimit
from hpsearch.backends.queue.own_job import ANSWER_TIMEOUT, allotted, own_job
from hpsearch.cli.context import BackendContext, MakeBackend, ProcessContext
from hpsearch.cli.declaring.fields import AUTO
from hpsearch.cli.options import ClusterOptions, LocalOptions, SearchOptions
from hpsearch.cli.packing import local_policies
from hpsearch.cli.packing.options import NeighbourOptions
from hpsearch.host.signals import Wakeup
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import BackendError, ConfigError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.placement import why_too_short
from hpsearch.model.retries import JobTime
from hpsearch.model.states import State
from hpsearch.model.units import count_of, duration
from hpsearch.model.usage.threads import share_of
from hpsearch.packing.neighbours.policy import NO_LIMITS, NeighbourPolicy
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.backends.local.fair_shares import FairShares
    from hpsearch.backends.queue.arrays import QueueSettings
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.pilots import PilotSettings
    from hpsearch.backends.queue.poller import JobPoller
    from hpsearch.backends.queue.submission import QueueContext

log = logging.getLogger('hpsearch')

GPU_INTERVAL = 1.0
"""Seconds between two readings of a GPU."""

SPARE_READINGS = 5.0
"""Seconds beyond the window for which readings are kept, so that it is seen when a GPU was watched for all of it."""

WARNING_SECONDS = 60
"""Seconds before its time limit at which a resumable run is signalled."""

PILOT_WARNING = 30
"""Seconds, beside their grace, before the time limit at which a job that works on the search ends its runs."""

MEMORY_FACTOR = 4
"""How many times the memory of a job a run that ran out of it is given at most, by default."""


def choose_backend(
    options: SearchOptions, configuration: Configuration, context: ProcessContext, job_time: JobTime | None = None
) -> tuple[MakeBackend, bool]:
    """How the backend that was requested is made, and whether the output of the runs is shown.

    Args:
        options: Of the search.
        configuration: Of the search.
        context: This process.
        job_time: The time of the job of this process, if runs that would take longer are not to be started; or None.

    Raises:
        HpsearchError: It is not available.
    """
    if options.cluster.run_cluster:
        installed_system(options)
        local_policies.warn_of_ignored(options)
        return queue_backend(options, requested_system(options, configuration)[0]), False
    slots, echo, shares = slots_for(options, context.wakeup)
    context.stack.callback(slots.close)
    if options.cluster.runs_per_job and own_job():
        return local_backend(slots, job_time, shares=shares), echo  # a job has its part of the machine already
    assigns_gpus = not isinstance(slots, FixedSlots)
    local_policies.warn_without_effect(options, packs=slots.packs, assigns_gpus=assigns_gpus)
    policy, nice = local_policies.neighbour_policy(options), options.neighbours.nice
    return local_backend(slots, job_time, policy, nice, shares), echo


# This machine


def local_backend(
    slots: SlotSource,
    job_time: JobTime | None = None,
    policy: NeighbourPolicy = NO_LIMITS,
    nice: int = 0,
    shares: FairShares | None = None,
) -> MakeBackend:
    """How a backend of this machine is made; for ``job_time`` see :func:`choose_backend`."""

    def make(context: BackendContext) -> AttemptBackend:
        limit = None if job_time is None else _time_limit(job_time, context)
        where = context.search.folder, context.search.run_cwd
        return LocalBackend(*where, slots, context.wakeup, limit, MachineGate(policy), nice, shares)

    return make


def pilot_margin(stop_grace: float) -> int:
    """Seconds before its time limit at which a job that works on a search ends its runs."""
    return math.ceil(stop_grace) + PILOT_WARNING


def _time_limit(job_time: JobTime, context: BackendContext) -> TimeLimit:
    durations, margin = partial(_durations, context.state), pilot_margin(context.grace)
    return TimeLimit(job_time.end, durations, margin, is_ours=bool(job_time.margin))


def pilot_note(options: SearchOptions, system: BatchSystem, state: SearchState | None = None) -> str:
    """Why jobs that work on a search may be too short for its runs, in a sentence; empty: they are not.

    Args:
        options: Of the search.
        system: The queue.
        state: What is known of its runs; None: nothing yet.
    """
    durations = [] if state is None else _durations(state)
    margin = pilot_margin(options.execution.stop_grace)
    return '' if system.time_limit is None else why_too_short(system.time_limit, durations, margin=margin)


def _durations(state: SearchState) -> list[float]:
    """How long the runs that finished took, in seconds."""
    ended = (history.deciding for history in state.runs.values() if history.state is State.FINISHED)
    return [each.seconds for each in ended if each is not None and each.seconds is not None]


def slots_for(options: SearchOptions, wakeup: Wakeup) -> tuple[SlotSource, bool, FairShares | None]:
    """Where slots come from, whether the output of the runs is shown, and with whom the places are shared."""
    local = options.local
    if options.cluster.runs_per_job and own_job():
        slots, shares = _slots_of_job(options, wakeup)
        return slots, False, shares
    if local.cpu_jobs == AUTO:
        slots, shares = _cpu_slots(options)
        return slots, False, shares
    if isinstance(local.cpu_jobs, int):
        return FixedSlots(local.cpu_jobs, _threads(local.cpu_jobs)), local.cpu_jobs == 1, None
    if local.visible_gpus == '-1':
        return FixedSlots(1), True, None
    found = _gpu_slots(options, wakeup)
    if found is None:
        from hpsearch.host.gpu.source import why_none

        _check_that_none_was_asked_for(local)
        if local.packing == AUTO:
            log.warning('%s: runs share its cores and memory, as with --cpu_jobs=auto.', why_none())
            slots, shares = _cpu_slots(options)
            return slots, False, shares
        log.warning('%s: one run after the other, as with --visible_gpus=-1.', why_none())
        return FixedSlots(1), True, None
    return found[0], False, found[1]


def _slots_of_job(options: SearchOptions, wakeup: Wakeup) -> tuple[SlotSource, FairShares | None]:
    """Slots on what a queue gave to the job of this process, its GPUs or its cores, and with whom they are shared."""
    per_run, runs = options.local.gpus_per_run, options.cluster.runs_per_job
    devices = [device for device in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if device]
    _check_devices(devices, per_run)
    if isinstance(runs, int):
        return SharedSlots(runs, devices, per_run, _threads(runs)), None
    if not devices:
        return _cores_of_job(), None
    local = replace(options.local, packing=AUTO, visible_gpus='')
    packed = replace(options, local=local, neighbours=NeighbourOptions())
    if (found := _gpu_slots(packed, wakeup)) is not None:
        return found
    # Jobs that were submitted are quiet: only an error is seen in their logs.
    log.error('The GPUs of this job cannot be read: one run at a time on each, instead of --runs_per_job=auto.')
    return SharedSlots(len(devices) // per_run, devices, per_run), None


def _cpu_slots(options: SearchOptions) -> tuple[SlotSource, FairShares]:
    """As many slots as there are cores and memory for, and with whom these are shared. Imports what only they need."""
    from hpsearch.backends.local.cpu_slots import CpuSlots
    from hpsearch.cli.packing.sharing import shares_of_cores
    from hpsearch.host.gpu.starts import GpuStarts

    starts = GpuStarts()
    return CpuSlots(allotted(), starts=starts), shares_of_cores(options, starts.folder)


def _cores_of_job() -> SlotSource:
    """The same of what a queue gave to the job of this process, which is shared with nobody."""
    from hpsearch.backends.local.cpu_slots import CpuSlots

    return CpuSlots(allotted())


def _threads(runs: int) -> int | None:
    """How many threads the libraries of each of so many runs start, beside each other on the cores of this machine."""
    from hpsearch.host.machine.reading import core_count

    return share_of(min(core_count(), allotted().cores or math.inf), runs)


def _check_that_none_was_asked_for(options: LocalOptions) -> None:
    """On a machine without GPUs, what is asked for by name is an error; by default, runs do without."""
    asked = [f'--visible_gpus={options.visible_gpus}'] if options.visible_gpus.strip() else []
    asked += [f'--gpus_per_run={options.gpus_per_run}'] if options.gpus_per_run > 1 else []
    if asked:
        raise ConfigError([f'{asked[0]}: there is no GPU on this machine; --visible_gpus=-1 runs without one.'])


def _check_devices(devices: Sequence[str], per_run: int) -> None:
    """Check that the job of this process has the GPUs that a run needs.

    Raises:
        ConfigError: It does not.
    """
    if per_run > 1 and len(devices) < per_run:
        gpus = f'{count_of(len(devices), "GPU")} (CUDA_VISIBLE_DEVICES={",".join(devices)})' if devices else 'no GPU'
        raise ConfigError(
            [f'--gpus_per_run={per_run}: this job has {gpus}; request more, or resume with fewer per run.']
        )


def _gpu_slots(options: SearchOptions, wakeup: Wakeup) -> tuple[SlotSource, FairShares] | None:
    """Slots on the GPUs that may be used; None where there are none. Imports what only they need."""
    from hpsearch.backends.local.gpu_neighbours import GpuNeighbours
    from hpsearch.backends.local.gpu_slots import GpuSlots
    from hpsearch.backends.local.host_space import HostSpace
    from hpsearch.cli.packing.sharing import shares_of_gpus
    from hpsearch.host.gpu.monitor import GpuMonitor
    from hpsearch.host.gpu.source import open_gpus
    from hpsearch.host.gpu.starts import GpuStarts
    from hpsearch.model.placement import choose_visible, inherited_choice
    from hpsearch.packing.neighbours.strangers import Limits

    source, local = open_gpus(), options.local
    if source is None:
        return None
    gpus, hidden = choose_visible(source.gpus, local.visible_gpus, *inherited_choice(source.gpus, os.environ))
    log.info('GPUs: %s', ', '.join(f'{gpu.name} ({gpu.model})' for gpu in gpus))
    for note in source.notes:
        log.info('%s', note)
    for name, reason in hidden.items():
        log.info('GPU %s is not used: %s', name, reason)
    if local.gpus_per_run > len(gpus):
        available = count_of(len(gpus), 'GPU is', 'GPUs are')
        raise ConfigError([f'--gpus_per_run={local.gpus_per_run}: only {available} available.'])
    gpu_policy, neighbours = local_policies.gpu_policy(options, gpus), local_policies.neighbour_policy(options)
    window = gpu_policy.window + SPARE_READINGS
    others = [gpu for gpu in source.gpus if gpu not in gpus]
    monitor = GpuMonitor(source, gpus, interval=GPU_INTERVAL, on_reading=wakeup.poke, window=window, elsewhere=others)
    packing, limits = local_policies.packing_policy(options, gpus), Limits(local.allowed_load, local.allowed_memory)
    kept, starts = GpuNeighbours(gpus, neighbours, limits, gpu_policy.window), GpuStarts()
    shares = shares_of_gpus(options, gpus, gpu_policy, monitor, starts.folder)
    space = HostSpace(allotted()) if packing else None
    return GpuSlots(monitor, gpus, gpu_policy, starts, packing, kept, space), shares


# Queue systems


def check_queue(options: SearchOptions, sleep: Callable[[float], object] = time.sleep) -> None:
    """Ask the queue, if there is one, a question: before it has answered, nothing is written or claimed.

    Args:
        options: Of the search.
        sleep: Waits for so many seconds.

    Raises:
        ConfigError: It is not installed here.
        BackendError: It does not answer. With ``--wait_for_queue``, it is asked again with growing pauses instead.
    """
    if not options.cluster.run_cluster:
        return
    from hpsearch.backends.queue.poller import list_jobs
    from hpsearch.backends.queue.submission import retry_pause

    system = installed_system(options)
    for tries in itertools.count(1):
        problem = list_jobs(system).problem
        if not problem:
            return
        if not options.cluster.wait_for_queue:
            raise BackendError(
                f'{system.name} does not answer: {problem}. Nothing was changed. Try again later; run, resume and join '
                'wait for it with --wait_for_queue.'
            )
        pause = retry_pause(tries)
        log.warning('%s does not answer, it is asked again in %s: %s', system.name, duration(pause), problem)
        sleep(pause)


def installed_system(options: SearchOptions) -> BatchSystem:
    """The queue system that was requested.

    Raises:
        ConfigError: It is not installed here.
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
    return system


def requested_system(options: SearchOptions, configuration: Configuration) -> tuple[BatchSystem, Sequence[str]]:
    """The queue system, installed or not, with all that is requested of it; and what to report about that.

    Requests are our options, the environment of this process and the lines of prologues.

    Raises:
        ConfigError: With everything that it cannot do.
    """
    system = system_named(options.cluster.scheduler, options)
    system, notes = system.with_requests(os.environ, _prologue(options.cluster, configuration))
    problems = [*system.problems, *gpu_problems(options, system)]
    if problems:
        raise ConfigError(problems)
    return system, notes


_MORE_GPUS = {'slurm': '--slurm_gres=gpu:{}', 'lsf': '--lsf_gpu=num={} or in --resources'}
"""How more GPUs are requested for a job."""


def gpu_problems(options: SearchOptions, system: BatchSystem) -> list[str]:
    """Why a job does not have the GPUs that a run needs, as far as that is known."""
    per_run, gpus = options.local.gpus_per_run, system.gpus
    if per_run == 1 or gpus is None or gpus >= per_run:
        return []
    more = _MORE_GPUS[system.name].format(per_run)
    return [f'--gpus_per_run={per_run}: a job requests only {count_of(gpus, "GPU")}; request more with {more}.']


def system_named(name: str, options: SearchOptions) -> BatchSystem:
    """The queue system of a name, whether it is installed or not."""
    return _slurm(options) if name == 'slurm' else _lsf(options)


def _slurm(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.slurm.options import SlurmOptions
    from hpsearch.backends.queue.slurm.system import Slurm

    chosen = {name.removeprefix('slurm_'): value for name, value in vars(options.sbatch).items()}
    chosen['extra'] = with_listed_nodes(chosen['extra'])
    return Slurm(SlurmOptions(hours=options.cluster.num_hours, **chosen))


def with_listed_nodes(extra: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments of sbatch, in which nodes to exclude that are in a file are named: others may have to be added to them.

    Raises:
        ConfigError: The file cannot be read.
    """
    from hpsearch.backends.queue.slurm.options import value_of

    path = value_of(extra, 'exclude', 'x')
    if '/' not in path:
        return extra
    file = os.path.expanduser(path)
    extra = tuple(word.removesuffix(path) + file if word.endswith(path) else word for word in extra)
    try:
        return (*extra, f'--exclude={",".join(Path(file).read_text().split())}')
    except (OSError, ValueError) as error:
        raise ConfigError([f'--slurm_extra=--exclude={path}: the file cannot be read: {error}']) from error


def _lsf(options: SearchOptions) -> BatchSystem:
    from hpsearch.backends.queue.lsf.options import LsfOptions
    from hpsearch.backends.queue.lsf.parsing import Dialect
    from hpsearch.backends.queue.lsf.system import Lsf

    chosen = {name.removeprefix('lsf_'): value for name, value in vars(options.bsub).items()}
    # Where there is no LSF to query, a plan is made for the only one that supports every option.
    is_planned = bool(options.bsub.lsf_gpu) and shutil.which('bsub') is None
    return Lsf(LsfOptions(hours=options.cluster.num_hours, **chosen), Dialect.IBM if is_planned else _dialect())


@cache
def _dialect() -> Dialect:
    """Which LSF is installed, queried once; where that is unknown, nothing is used that only some support."""
    from hpsearch.backends.queue.commands import execute, in_english
    from hpsearch.backends.queue.lsf.parsing import parse_dialect
    from hpsearch.backends.queue.lsf.system import DIALECT_ARGV

    return parse_dialect(execute(DIALECT_ARGV, in_english(os.environ), b'', ANSWER_TIMEOUT))


# Jobs


def queue_backend(options: SearchOptions, system: BatchSystem) -> MakeBackend:
    """How a backend is made that submits to a queue system."""
    return partial(_queue_backend, options, system)


def _queue_backend(
    options: SearchOptions, system: BatchSystem, context: BackendContext
) -> AttemptBackend | PilotBackend:
    """A backend that submits jobs: one per run, or pilots, which work on the search by themselves."""
    from hpsearch.backends.queue.submission import QueueContext

    runner, poller = _open_poller(system, options.cluster.queue_interval, context.wakeup)
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
        prologue=_prologue(cluster, configuration),
        signal=signal,
        warning=warning,
        most_memory=most_memory(options, memory),
        most_attempts=cluster.num_jobs if options.is_adaptive else None,
    )


def most_memory(options: SearchOptions, memory: int | None) -> int | None:
    """MiB that a run which ran out of memory is given at most, None: no bound; ``memory`` is what a job has."""
    from hpsearch.backends.queue.slurm.system import in_mib

    return in_mib(options.cluster.max_job_mem) or (memory * MEMORY_FACTOR if memory else None)


def _prologue(options: ClusterOptions, configuration: Configuration) -> str:
    """The shell lines before a run: those of the site, then those of the configuration, whose shell is used."""
    site, own = options.job_prologue.rstrip(), configuration.job_prologue
    if not (site and own.startswith('#!')):
        return '\n'.join(filter(None, (site, own)))
    shell, _, rest = own.partition('\n')
    without_shell = site.partition('\n')[2] if site.startswith('#!') else site
    return '\n'.join((shell, without_shell, rest))


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
        prologue=_prologue(options.cluster, configuration),
        warning=pilot_margin(options.execution.stop_grace),
        holds=not options.cluster.submit_only,
    )


def _pilot_argv(folder: SearchFolder, options: SearchOptions) -> tuple[str, ...]:
    """The command of a job that works on a search; it needs neither PATH nor PYTHONPATH of where it was submitted.

    What this process trusts, its jobs do.
    """
    root = Path(__file__).resolve().parents[2]
    starter = 'import sys; sys.path.insert(0, sys.argv.pop(1)); from hpsearch.cli.main import main; sys.exit(main())'
    runs, grace = f'--runs_per_job={options.cluster.runs_per_job}', f'--stop_grace={options.execution.stop_grace}'
    trust = () if folder.only_ours else ('--trust',)
    return (sys.executable, '-c', starter, str(root), 'join', str(folder.path), runs, grace, '--quiet', *trust)


def _open_poller(system: BatchSystem, interval: float, wakeup: Wakeup) -> tuple[BackgroundRunner, JobPoller]:
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
    """

    def __init__(self, options: SearchOptions, wakeup: Wakeup) -> None:
        self._options = options
        self._wakeup = wakeup
        self._pollers: dict[str, tuple[BackgroundRunner, JobPoller]] = {}

    def __call__(self, job: Mapping[str, Any]) -> bool:
        name = job['queue']
        if name not in self._pollers:
            system = system_named(name, self._options)
            self._pollers[name] = _open_poller(system, self._options.cluster.queue_interval, self._wakeup)
        runner, poller = self._pollers[name]
        runner.deliver()
        poller.poll(time.monotonic())
        return poller.has_ended(job['id'], job.get('ends'))
