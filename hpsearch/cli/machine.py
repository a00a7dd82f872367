"""What this machine has to offer: GPUs that may be used, or places without one."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping

from hpsearch.backends.local.slots import FixedSlots, SharedSlots, SlotSource
from hpsearch.cli.queue_backends import own_job
from hpsearch.host.wakeup import Wakeup
from hpsearch.model.errors import ConfigError
from hpsearch.model.resources import GpuPolicy

log = logging.getLogger('hpsearch')

GPU_INTERVAL = 1.0
"""Seconds between two readings of a GPU."""


def choose_slots(args: argparse.Namespace, wakeup: Wakeup) -> tuple[SlotSource, bool]:
    """Where slots come from, and whether the output of the runs is shown.

    Raises:
        HpsearchError: The GPUs that were asked for cannot be used.
    """
    if args.runs_per_job and own_job():
        return SharedSlots(args.runs_per_job, given_devices(os.environ), args.gpus_per_run), False
    if args.cpu_jobs:
        return FixedSlots(args.cpu_jobs), args.cpu_jobs == 1
    if args.visible_gpus == '-1':
        return FixedSlots(1), True
    gpu_slots = _gpu_slots(args, wakeup)
    if gpu_slots is None:
        log.warning('There is no GPU on this machine: one run after the other, as with --visible_gpus=-1.')
        return FixedSlots(1), True
    return gpu_slots, False


def given_devices(environ: Mapping[str, str]) -> list[str]:
    """The devices that ``CUDA_VISIBLE_DEVICES`` names, as it names them."""
    return [device for device in environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if device]


def _gpu_slots(args: argparse.Namespace, wakeup: Wakeup) -> SlotSource | None:
    """Slots on the GPUs that may be used; None where there are none. Imports what only they need."""
    from hpsearch.backends.local.gpu_slots import GpuSlots
    from hpsearch.host.gpus import GpuMonitor, open_gpus
    from hpsearch.model.placement import choose_visible

    source = open_gpus()
    if source is None:
        return None
    gpus, hidden = choose_visible(source.gpus, args.visible_gpus, os.environ.get('CUDA_VISIBLE_DEVICES'))
    log.info('GPUs: %s', ', '.join(f'{gpu.name} ({gpu.model})' for gpu in gpus))
    for name, reason in hidden.items():
        log.info('GPU %s is not used: %s', name, reason)
    if args.gpus_per_run > len(gpus):
        raise ConfigError([f'--gpus_per_run={args.gpus_per_run}: there are only {len(gpus)} GPUs to use.'])
    policy = policy_of(args)
    monitor = GpuMonitor(source, gpus, interval=GPU_INTERVAL, on_reading=wakeup.poke)
    return GpuSlots(monitor, gpus, policy)


def policy_of(args: argparse.Namespace) -> GpuPolicy:
    """The thresholds of the command line."""
    return GpuPolicy(
        allowed_load=args.allowed_load,
        allowed_memory=args.allowed_memory,
        startup_time=args.sim_startup_time,
        max_runs_per_gpu=args.max_num_jobs_per_gpu,
        gpus_per_run=args.gpus_per_run,
    )
