"""Which of the runs that wait are started now, and on which GPUs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpsearch.model.placement import place
from hpsearch.model.resources import Gpu, GpuPolicy, GpuTenant, OtherStart, Reading
from hpsearch.packing.box import Candidate, Packing, PackingPolicy, Start


def pack(
    gpus: Sequence[Gpu],
    readings: Mapping[str, Sequence[Reading]],
    tenants: Sequence[GpuTenant],
    candidates: Sequence[Candidate],
    policy: PackingPolicy,
    now: float,
    *,
    freed: Mapping[str, float] | None = None,
    other_starts: Sequence[OtherStart] = (),
    avoided: Mapping[str, str] | None = None,
) -> Packing:
    """Decide which runs are started now.

    Args:
        gpus: The GPUs the search may use, in nvidia-smi order.
        readings: Name of a GPU to its readings, oldest first.
        tenants: The attempts of this search that hold GPUs, each with its memory per GPU.
        candidates: The runs that wait, in the order of the search.
        policy: The limits.
        now: The time in seconds, of the clock of ``Reading.at`` and ``GpuTenant.started``.
        freed: Name of a GPU to the last time one of our runs on it ended; earlier readings are ignored.
        other_starts: Runs that other hpsearch of this host have started.
        avoided: Name of a GPU on which runs fail to why it is avoided, in words.
    """
    limits = GpuPolicy(1.0, 1.0, 0.0, policy.max_runs_per_gpu or len(tenants) + 1, policy.gpus_per_run, policy.window)
    for candidate in candidates[:1]:
        memory = candidate.estimate.memory
        placement = place(
            gpus,
            readings,
            tenants,
            replace(limits, stale_after=policy.stale_after, startup_time=0.0 if memory else policy.startup_time),
            now,
            need=None if memory is None else int(memory.high),
            freed=freed,
            resources=candidate.resources,
            other_starts=other_starts,
            avoided=avoided,
        )
        starts = tuple(Start(candidate.run, slot) for slot in placement.slots[:1])
        return Packing(starts, placement.closed, placement.waiting, placement.is_final)
    return Packing()
