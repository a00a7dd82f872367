"""How a search shares this machine with other searches of the same user, as its options request."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hpsearch.backends.local.fair_shares import FairShares, Part
from hpsearch.cli.options import SearchOptions
from hpsearch.host.gpu.monitor import GpuMonitor
from hpsearch.host.gpu.searches import SearchesHere
from hpsearch.host.machine.reading import Machine
from hpsearch.host.shared_folder import SharedFolder
from hpsearch.model.placement import identity
from hpsearch.model.resources import Gpu, GpuPolicy
from hpsearch.model.usage.estimate import Estimate
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.host_room import cores_for
from hpsearch.packing.shares import portion

NOTICED_AFTER = 2.0
"""Seconds, beside the window, until a search notices that a GPU is free: loads are averages, readings take turns."""


CORES_NOTICED_AFTER = 5.0
"""The same for cores, whose load is a mean of the last moments."""


def shares_of_gpus(
    options: SearchOptions, gpus: Sequence[Gpu], policy: GpuPolicy, monitor: GpuMonitor, folder: SharedFolder
) -> FairShares:
    """The share of a search of the GPUs that it may use."""
    most = options.neighbours.max_gpus
    return FairShares(
        SearchesHere(folder),
        {gpu.name: identity(gpu) for gpu in gpus},
        _by_need(_totals_of(monitor)) if options.local.packing == 'auto' else _alike(policy.max_runs_per_gpu),
        priority=options.neighbours.priority,
        most=math.inf if most is None else most,
        notices_after=policy.window + NOTICED_AFTER,
    )


def shares_of_cores(options: SearchOptions, folder: SharedFolder) -> FairShares:
    """The share of a search of the cores and the memory of this machine."""
    reading = Machine().read()
    priority, here = options.neighbours.priority, {'': 'cores'}
    return FairShares(SearchesHere(folder), here, _of_machine(reading), priority, notices_after=CORES_NOTICED_AFTER)


def _of_machine(reading: HostReading) -> Part:
    """Each run holds what it is expected to need most of: cores or memory."""

    def part(estimate: Estimate, gpu: str) -> float:
        memory = estimate.host_memory.high if estimate.host_memory else 0.0
        return portion(memory, cores_for(estimate) / reading.cores, reading.memory_total or math.inf)

    return part


def _alike(runs_per_gpu: int) -> Part:
    """Every run holds as much: as many as are allowed hold a GPU."""
    return lambda estimate, gpu: 1.0 / runs_per_gpu


def _by_need(total_of: Callable[[str], int | None]) -> Part:
    """Each run holds what it is expected to need most of."""

    def part(estimate: Estimate, gpu: str) -> float:
        memory, load = estimate.memory, estimate.load
        return portion(memory.high if memory else None, load.expected if load else None, total_of(gpu))

    return part


def _totals_of(monitor: GpuMonitor) -> Callable[[str], int | None]:
    def total_of(gpu: str) -> int | None:
        readings = monitor.readings().get(gpu, ())
        return readings[-1].memory_total if readings else None

    return total_of
