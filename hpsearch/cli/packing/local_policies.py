"""The limits of this machine that options request, as values."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.cli.options import SearchOptions
from hpsearch.cli.packing.options import memory_of
from hpsearch.model.errors import ConfigError
from hpsearch.model.placement import gpu_order
from hpsearch.model.resources import Gpu, GpuPolicy
from hpsearch.model.units import count_of
from hpsearch.packing.box import PackingPolicy
from hpsearch.packing.neighbours.hours import parse_hours
from hpsearch.packing.neighbours.machine import MachineLimits
from hpsearch.packing.neighbours.policy import NeighbourPolicy
from hpsearch.packing.neighbours.quota import Quota

WINDOW = 5.0
"""Seconds of readings that count, where nothing else is requested."""


def gpu_policy(options: SearchOptions, gpus: Sequence[Gpu]) -> GpuPolicy:
    """The thresholds of placement.

    Raises:
        ConfigError: What is requested of the GPUs does not fit together.
    """
    local, neighbours = options.local, options.neighbours
    _check_quota(options, len(gpus))
    return GpuPolicy(
        allowed_load=local.allowed_load,
        allowed_memory=local.allowed_memory,
        startup_time=local.sim_startup_time,
        max_runs_per_gpu=local.max_num_jobs_per_gpu or 1,
        gpus_per_run=local.gpus_per_run,
        window=WINDOW if neighbours.window is None else neighbours.window,
        order=gpu_order(gpus, neighbours.gpu_order),
    )


def _check_quota(options: SearchOptions, count: int) -> None:
    per_run, neighbours = options.local.gpus_per_run, options.neighbours
    if neighbours.max_gpus is not None and neighbours.max_gpus < per_run:
        raise ConfigError(
            [f'--max_gpus={neighbours.max_gpus}: a run needs {count_of(per_run, "GPU")} (--gpus_per_run).']
        )
    if neighbours.leave_free > count - per_run:
        needs = f'a run needs {per_run} of the {count_of(count, "GPU")} that may be used'
        raise ConfigError(
            [f'--leave_free={neighbours.leave_free}: {needs}, so that at most {count - per_run} stay free.']
        )


def packing_policy(options: SearchOptions, gpus: Sequence[Gpu]) -> PackingPolicy | None:
    """The limits of packing; None: thresholds decide."""
    if options.local.packing != 'auto':
        return None
    limits = gpu_policy(options, gpus)
    return PackingPolicy(
        startup_time=limits.startup_time,
        max_runs_per_gpu=options.local.max_num_jobs_per_gpu,
        gpus_per_run=limits.gpus_per_run,
        window=limits.window,
        order=limits.order,
    )


def neighbour_policy(options: SearchOptions) -> NeighbourPolicy:
    """What is left to others."""
    chosen = options.neighbours
    return NeighbourPolicy(
        quota=Quota(chosen.max_gpus, chosen.leave_free),
        machine=MachineLimits(memory_of(chosen.min_free_ram) or 0.0, chosen.max_cpu_load),
        hours=parse_hours(chosen.hours) if chosen.hours else None,
        watched=chosen.window or 0.0,
        keeps_away=options.local.packing == 'auto' or chosen.yields != 'none',
        yields=chosen.yields != 'none',
    )
