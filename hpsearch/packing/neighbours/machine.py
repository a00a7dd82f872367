"""When a machine as a whole gets no more runs: short of memory, or busy with the work of others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from hpsearch.model.units import memory
from hpsearch.model.usage.host import HostReading

WINDOW = 5.0
"""Seconds over which a machine is looked at: a burst changes nothing, and a run that was started can be seen."""


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """What of a machine is left to others.

    Attributes:
        min_free: Memory that stays free: MiB, or a fraction below 1 of all; 0: no limit.
        max_load: Utilisation of its cores (0-1) above which no run is started; None: no limit.
    """

    min_free: float = 0.0
    max_load: float | None = None

    def __bool__(self) -> bool:
        return self.min_free > 0 or self.max_load is not None

    def free_mib(self, total: int) -> int:
        """MiB that stay free of a total."""
        return round(self.min_free * total if self.min_free < 1 else self.min_free)


def why_no_room(readings: Sequence[HostReading], limits: MachineLimits, now: float, last_start: float = -inf) -> str:
    """Why no run is started on a machine, in words; empty: one may be, and one only.

    Memory must have been free all the time of the window; of the load, the mean counts.

    Args:
        readings: Of the machine, oldest first.
        limits: What is left to others.
        now: The time, of the clock of the readings.
        last_start: When a run was last started here.
    """
    if now - last_start < WINDOW:
        return (
            f'a run was started {int(now - last_start)} s ago; what it takes of this machine is seen after {WINDOW:g} s'
        )
    counted = [reading for reading in readings if reading.at >= now - WINDOW]
    if not counted:
        return 'the memory and the load of this machine are not known yet'
    return _short_of_memory(counted, limits) or _too_busy(counted, limits)


def _short_of_memory(counted: Sequence[HostReading], limits: MachineLimits) -> str:
    known = [(each.memory_free, each.memory_total) for each in counted if each.memory_free is not None]
    if not limits.min_free:
        return ''
    if not known:
        return 'the memory of this machine cannot be read'
    free, total = min(known)
    wanted = limits.free_mib(total or 0)
    short = f'{memory(free)} of the memory of this machine are free, --min_free_ram is {memory(wanted)}'
    return short if free < wanted else ''


def _too_busy(counted: Sequence[HostReading], limits: MachineLimits) -> str:
    loads = [each.busy / each.cores for each in counted if each.busy is not None]
    if limits.max_load is None:
        return ''
    if not loads:
        return 'the load of this machine is not known yet'
    mean = sum(loads) / len(loads)
    busy = f'its cores were busy to {mean:.0%} in the last {WINDOW:g} s, --max_cpu_load is {limits.max_load:g}'
    return busy if mean > limits.max_load else ''
