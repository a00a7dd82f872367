"""Where slots come from: the GPUs or the cores of this machine, or what a queue gave to the job of this process."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hpsearch.backends.local.slots import FixedSlots, SharedSlots, SlotSource
from hpsearch.backends.queue.own_job import allotted, own_job
from hpsearch.cli.declaring.fields import AUTO
from hpsearch.cli.options import LocalOptions, SearchOptions
from hpsearch.cli.packing import local_policies
from hpsearch.cli.packing.options import NeighbourOptions
from hpsearch.host.signals import Wakeup
from hpsearch.model.errors import ConfigError
from hpsearch.model.units import count_of
from hpsearch.model.usage.threads import share_of

if TYPE_CHECKING:
    from hpsearch.backends.local.fair_shares import FairShares

log = logging.getLogger('hpsearch')

GPU_INTERVAL = 1.0
"""Seconds between two readings of a GPU."""

SPARE_READINGS = 5.0
"""Seconds beyond the window for which readings are kept, so that it is seen when a GPU was watched for all of it."""


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
