"""How many GPUs a search takes at a time, and how many it leaves idle for others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.model.placement import small_use
from hpsearch.model.resources import Reading, Readings, Slot
from hpsearch.model.units import count_of

IDLE_LOAD = 0.1
"""Load (0-1) up to which a GPU counts as idle."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a search takes of the GPUs of a machine.

    Attributes:
        max_gpus: GPUs on which it has runs at a time, at most; None: all.
        leave_free: Idle GPUs, of those it may use, on which it starts nothing.
    """

    max_gpus: int | None = None
    leave_free: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """How the GPUs stand.

    Attributes:
        ours: Those with runs of this search.
        idle: Those that nobody uses.
    """

    ours: frozenset[str]
    idle: frozenset[str]

    def more(self, quota: Quota) -> float:
        """How many other GPUs the search may take."""
        return float('inf') if quota.max_gpus is None else quota.max_gpus - len(self.ours)

    def more_idle(self, quota: Quota) -> float:
        """How many idle GPUs it may take."""
        return len(self.idle) - quota.leave_free if quota.leave_free else float('inf')

    def with_slot(self, slot: Slot) -> Taken:
        """How they stand once a run was started in a slot."""
        return Taken(self.ours.union(slot.gpus), self.idle.difference(slot.gpus))


def is_idle(readings: Sequence[Reading]) -> bool:
    """Whether nobody uses a GPU, as far as its newest reading shows; what is unknown counts as used."""
    for reading in readings[-1:]:
        if reading.problem or reading.memory_used is None or (reading.load is None and reading.load_exists):
            return False
        return reading.memory_used <= small_use(reading) and (reading.load or 0.0) <= IDLE_LOAD
    return False


def why_not_watched(readings: Readings, seconds: float, now: float) -> Mapping[str, str]:
    """Why GPUs get no run since they have not been watched for so many seconds: name to the reason, in words."""
    began = {name: each[0].at for name, each in readings.items() if each}
    return {
        name: f'readings are still being collected: {int(now - at)} s of --window={seconds:g} s'
        for name, at in began.items()
        if now - at < seconds
    }


def why_closed(gpus: Iterable[str], taken: Taken, quota: Quota) -> Mapping[str, str]:
    """Why GPUs get no run since the search has its quota already: name to the reason, in words."""
    closed = {}
    for name in gpus:
        if name not in taken.ours and taken.more(quota) <= 0:
            count = len(taken.ours)
            has = f'this search has runs on {count_of(count, "GPU")}'
            closed[name] = f'{has}, --max_gpus is {quota.max_gpus}'
        elif name in taken.idle and taken.more_idle(quota) <= 0:
            count = len(taken.idle)
            idle = f'{count_of(count, "GPU is", "GPUs are")} idle'
            closed[name] = f'{idle}, and --leave_free={quota.leave_free} leaves so many to others'
    return closed


def why_beyond(slots: Iterable[Slot], kept: Sequence[Slot], quota: Quota) -> Mapping[str, str]:
    """Why GPUs get no run now since that would take more than the quota: name to the reason, in words."""
    limits = [f'--max_gpus={quota.max_gpus}'] if quota.max_gpus is not None else []
    limits += [f'--leave_free={quota.leave_free}'] if quota.leave_free else []
    names = [name for slot in slots if slot not in kept for name in slot.gpus]
    return dict.fromkeys(names, f'a run there would take more than is left for this search ({", ".join(limits)})')


def within(slots: Iterable[Slot], taken: Taken, quota: Quota) -> list[Slot]:
    """Those slots that may be taken together, in order: the others would take more GPUs than the quota."""
    kept = []
    for slot in slots:
        fresh = set(slot.gpus) - taken.ours
        if len(fresh) <= taken.more(quota) and len(fresh & taken.idle) <= taken.more_idle(quota):
            kept.append(slot)
            taken = taken.with_slot(slot)
    return kept
