"""Reads what is free of the memory and the cores of this machine, within the limits of its container or job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from hpsearch.host.kernel import system_memory
from hpsearch.host.machine.cgroups import MIB, Cgroups, CoreLimit
from hpsearch.model.usage.host import HostReading

LEAST_INTERVAL = 1.0
"""Seconds over which it is counted how busy cores are, at least: over less, the clocks of the kernel are too coarse."""


class Machine:
    """What this process and its children may use. Reading it takes less than a millisecond.

    Args:
        cgroups: The limits of a container or a job.
        memory: All memory of the machine and what is free of it, in bytes.
        affinity: The numbers of the cores on which this process may run.
        idle: The seconds for which some cores, by their numbers, have had nothing to do.
    """

    def __init__(
        self,
        cgroups: Cgroups | None = None,
        memory: Callable[[], tuple[int, int]] = system_memory,
        affinity: Callable[[], Collection[int]] | None = None,
        idle: Callable[[Collection[int]], float | None] | None = None,
    ) -> None:
        self._cgroups = cgroups or Cgroups()
        self._memory = memory
        self._affinity = affinity or usable_cores
        self._idle = idle or idle_seconds
        self._counted: tuple[float, Collection[int], float | None, float | None] | None = None
        self._busy: float | None = None

    def read(self, now: float | None = None) -> HostReading:
        """What is there now; how busy the cores are is known from the second reading on.

        Args:
            now: Monotonic seconds.
        """
        now = time.monotonic() if now is None else now
        total, free = (size // MIB for size in self._memory())
        limit = self._cgroups.memory()
        if limit is not None and limit.total < total:
            total, free = limit.total, min(free, limit.free)
        cpus, quota = self._affinity(), self._cgroups.cores()
        cores = float(len(cpus)) if quota is None else min(len(cpus), quota.cores)
        self._count(now, cpus, quota, cores)
        return HostReading(now, total, free, cores, self._busy)

    def _count(self, now: float, cpus: Collection[int], quota: CoreLimit | None, cores: float) -> None:
        """Take in how busy the cores have been since they were last counted, if that is long enough ago."""
        before = self._counted
        if before is not None and now - before[0] < LEAST_INTERVAL and before[1] == cpus:
            return
        used = None if quota is None else quota.seconds_used()
        self._counted = (now, cpus, self._idle(cpus), used)
        if before is None or before[1] != cpus:
            return
        idle = _rate(before[2], self._counted[2], now - before[0])
        own = _rate(before[3], used, now - before[0])
        free = [each for each in (idle, None if own is None else cores - own) if each is not None]
        self._busy = cores - min(cores, *free) if free else None
        self._busy = None if self._busy is None else min(cores, max(0.0, self._busy))


def _rate(before: float | None, after: float | None, seconds: float) -> float | None:
    return None if before is None or after is None else max(0.0, after - before) / seconds


def core_count() -> float:
    """How many cores this process and its children may keep busy."""
    quota, usable = Cgroups().cores(), len(usable_cores())
    return float(usable) if quota is None else min(usable, quota.cores)


def usable_cores() -> Collection[int]:
    """The numbers of the cores on which this process may run."""
    if hasattr(os, 'sched_getaffinity'):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def idle_seconds(cores: Collection[int]) -> float | None:
    """The seconds for which these cores have had nothing to do, all together; None: the system does not tell."""
    import psutil

    times = psutil.cpu_times(percpu=True)
    if max(cores, default=0) >= len(times):
        return None  # some are offline, so that their numbers are not those of the list
    return float(sum(times[core].idle + getattr(times[core], 'iowait', 0.0) for core in cores))
