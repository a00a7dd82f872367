"""The backend that the options ask for, and what one on this machine is made of: GPUs, or slots without one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import partial

from hpsearch.backends.base import AttemptBackend
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.slots import FixedSlots, SharedSlots, SlotSource
from hpsearch.backends.queue.own_job import own_job
from hpsearch.cli.context import BackendContext, MakeBackend, ProcessContext
from hpsearch.cli.options import LocalOptions, SearchOptions
from hpsearch.cli.queue_backends import PILOT_WARNING, WARNING_MAY_BE_EARLY, choose_system, make_queue_backend
from hpsearch.host.signals import Wakeup
from hpsearch.model.errors import ConfigError
from hpsearch.model.resources import GpuPolicy
from hpsearch.model.states import SearchState, State

log = logging.getLogger('hpsearch')

GPU_INTERVAL = 1.0
"""Seconds between two readings of a GPU."""


def choose_backend(
    options: SearchOptions, place: ProcessContext, job_end: float | None = None
) -> tuple[MakeBackend, bool]:
    """How the backend that was requested is made, and whether the output of the runs is shown.

    Args:
        options: Of the search.
        place: This process.
        job_end: When the job of this process ends, in seconds since 1970, if runs that would take longer are not to be
            started; or None.

    Raises:
        HpsearchError: It is not available.
    """
    if options.cluster.run_cluster:
        return partial(make_queue_backend, options, choose_system(options)), False
    slots, echo = choose_slots(options, place.wakeup)
    place.stack.callback(slots.close)
    return local_backend(slots, job_end), echo


def local_backend(slots: SlotSource, job_end: float | None = None) -> MakeBackend:
    """How a backend of this machine is made.

    Args:
        slots: Where slots come from.
        job_end: When the job of this process ends, in seconds since 1970; runs that would take longer are not started.
            None: it runs in no job, or in one whose end is unknown.
    """

    def make(context: BackendContext) -> AttemptBackend:
        source = slots if job_end is None else _slots_until(job_end, slots, context)
        return LocalBackend(context.task.folder, context.task.run_cwd, source, context.place.wakeup)

    return make


def _slots_until(job_end: float, slots: SlotSource, context: BackendContext) -> SlotSource:
    from hpsearch.backends.local.slots import TimeLimitedSlots

    ends_at = time.monotonic() + job_end - time.time()
    margin = context.grace + PILOT_WARNING + WARNING_MAY_BE_EARLY  # that long before its end, this process is signalled
    return TimeLimitedSlots(slots, ends_at, partial(durations, context.state), margin)


def durations(state: SearchState) -> list[float]:
    """How long the runs that finished took, in seconds."""
    ended = (history.deciding for history in state.runs.values() if history.state is State.FINISHED)
    return [each.seconds for each in ended if each is not None and each.seconds is not None]


def choose_slots(options: SearchOptions, wakeup: Wakeup) -> tuple[SlotSource, bool]:
    """Where slots come from, and whether the output of the runs is shown.

    Raises:
        HpsearchError: The GPUs that were requested cannot be used.
    """
    local, runs_per_job = options.local, options.cluster.runs_per_job
    if runs_per_job and own_job():
        return SharedSlots(runs_per_job, given_devices(os.environ), local.gpus_per_run), False
    if local.cpu_jobs:
        return FixedSlots(local.cpu_jobs), local.cpu_jobs == 1
    if local.visible_gpus == '-1':
        return FixedSlots(1), True
    gpu_slots = _gpu_slots(local, wakeup)
    if gpu_slots is None:
        log.warning('There is no GPU on this machine: one run after the other, as with --visible_gpus=-1.')
        return FixedSlots(1), True
    return gpu_slots, False


def given_devices(environ: Mapping[str, str]) -> list[str]:
    """The devices in ``CUDA_VISIBLE_DEVICES``, by the names used there."""
    return [device for device in environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if device]


def _gpu_slots(options: LocalOptions, wakeup: Wakeup) -> SlotSource | None:
    """Slots on the GPUs that may be used; None where there are none. Imports what only they need."""
    from hpsearch.backends.local.gpu_slots import GpuSlots
    from hpsearch.host.gpu_monitor import GpuMonitor
    from hpsearch.host.gpus import open_gpus
    from hpsearch.model.placement import choose_visible

    source = open_gpus()
    if source is None:
        return None
    gpus, hidden = choose_visible(source.gpus, options.visible_gpus, os.environ.get('CUDA_VISIBLE_DEVICES'))
    log.info('GPUs: %s', ', '.join(f'{gpu.name} ({gpu.model})' for gpu in gpus))
    for name, reason in hidden.items():
        log.info('GPU %s is not used: %s', name, reason)
    if options.gpus_per_run > len(gpus):
        raise ConfigError([f'--gpus_per_run={options.gpus_per_run}: only {len(gpus)} GPUs are available.'])
    monitor = GpuMonitor(source, gpus, interval=GPU_INTERVAL, on_reading=wakeup.poke)
    return GpuSlots(monitor, gpus, policy_of(options))


def policy_of(options: LocalOptions) -> GpuPolicy:
    """The thresholds of the command line."""
    return GpuPolicy(
        allowed_load=options.allowed_load,
        allowed_memory=options.allowed_memory,
        startup_time=options.sim_startup_time,
        max_runs_per_gpu=options.max_num_jobs_per_gpu,
        gpus_per_run=options.gpus_per_run,
    )
