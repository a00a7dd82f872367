"""Whether the memory and the cores of a machine have room for another run, and why not. Pure.

GPUs have memory of their own, but every run also takes memory of the host, for its data and the processes that load it,
and cores. A run that makes the host swap, or that has the kernel kill something, hurts everybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hpsearch.model.resources import OtherStart
from hpsearch.model.units import count_of, noun_for
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.model.usage.host import HostReading

RESERVED_SHARE = 0.1
"""Share of the memory that stays free, for what nobody expects."""

MOST_RESERVED = 16 * 1024
"""MiB that stay free at most."""

MOST_PER_CORE = 4
"""Runs per core at most, however much they wait for disks and networks."""

OURS_ANYWAY = 1.0
"""Cores that runs of this search may keep busy together however busy others are."""

OVERDUE_BY = 0.1
"""A run that takes longer than was expected is expected to take this share of its time more."""

UNKNOWN_CORES = 1.0
"""Cores that a run counts as while nothing is known of it."""

LEAST_SHARE = 0.5
"""Share of the cores it needs that must be free for a run: how many run at a time is rounded, not cut."""

AS_FREE_AS_CAN_BE = 0.5
"""Share of the memory that is free on a machine where no run has to wait for more."""

SETTLED_AFTER = 60.0
"""Seconds after its start from which on a run is taken to use what it will use."""


@dataclass(frozen=True, slots=True)
class HostTenant:
    """A run of this search that is on the machine.

    Attributes:
        estimate: What it was expected to need when it was started.
        memory: MiB of host memory that it uses now; None: not known.
        cpu: Cores that it has kept busy so far, as a mean; None: not known.
        age: Seconds since it was started.
        alone_on_host: Whether the machine is reserved for it, since it ran out of memory before.
    """

    estimate: Estimate = NOTHING_EXPECTED
    memory: int | None = None
    cpu: float | None = None
    age: float = 0.0
    alone_on_host: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether its start is over, so that it will not take more than is likely."""
        return self.age >= SETTLED_AFTER

    def cores(self, unknown: float = UNKNOWN_CORES) -> float:
        """Cores that are to be counted for it: what it uses, or during its start what it is expected to, if more."""
        if self.cpu is not None and (self.is_settled or self.estimate.cpu is None):
            return self.cpu
        return max(self.cpu or 0.0, cores_for(self.estimate, unknown))

    @property
    def remaining(self) -> float:
        """Seconds until it is expected to end; infinite: nobody knows."""
        seconds = self.estimate.seconds
        return math.inf if seconds is None else max(seconds.expected - self.age, OVERDUE_BY * self.age)

    @property
    def still_taking(self) -> float:
        """MiB that it will take beyond what it uses now, as far as anything is expected of it."""
        guess = self.estimate.host_memory
        if guess is None:
            return 0.0
        return max(0.0, (guess.expected if self.is_settled else guess.high) - (self.memory or 0))


def cores_for(estimate: Estimate, unknown: float = UNKNOWN_CORES) -> float:
    """Cores that are counted for a run of which this is expected; ``unknown``: where nothing is."""
    return unknown if estimate.cpu is None else estimate.cpu.expected


@dataclass(frozen=True, slots=True)
class HostRoom:
    """What a machine has left for runs of this search. Each start leaves another value behind (:meth:`with_run`).

    Attributes:
        memory_total: MiB of memory; None: not known, and then it is no limit.
        memory_free: MiB that are free now.
        reserve: MiB that are to stay free.
        promised: MiB that runs will still take which were started before.
        cores: Cores that may be kept busy.
        others: Cores that others keep busy.
        ours: Cores that are counted for the runs of this search.
        runs: How many those are.
        most_runs: How many there may be, however little they use.
        unknown_cores: Cores that a run counts as while nothing is known of it.
    """

    memory_total: int | None = None
    memory_free: int | None = None
    reserve: int = 0
    promised: float = 0.0
    cores: float = 1.0
    others: float = 0.0
    ours: float = 0.0
    runs: int = 0
    most_runs: float = math.inf
    unknown_cores: float = UNKNOWN_CORES

    @property
    def cores_free(self) -> float:
        """Cores that nobody uses, nor is expected to."""
        return max(0.0, self.cores - self.others - self.ours)

    @property
    def memory_room(self) -> float | None:
        """MiB that another run may take; None: not known."""
        return None if self.memory_free is None else self.memory_free - self.promised - self.reserve

    def why_not(self, estimate: Estimate) -> str:
        """Why a run of which this is expected is not started now, in words; empty: it may be."""
        return self._no_memory(estimate) or self._no_cores(estimate)

    def with_run(self, estimate: Estimate) -> HostRoom:
        """What is left once such a run was started."""
        needs = 0.0 if estimate.host_memory is None else estimate.host_memory.high
        ours = self.ours + cores_for(estimate, self.unknown_cores)
        return replace(self, promised=self.promised + needs, ours=ours, runs=self.runs + 1)

    def without(self, tenant: HostTenant) -> HostRoom:
        """What will be left once a run that is counted here has ended."""
        free = None if self.memory_free is None else self.memory_free + (tenant.memory or 0)
        promised, ours = self.promised - tenant.still_taking, self.ours - tenant.cores(self.unknown_cores)
        return replace(self, memory_free=free, promised=promised, ours=ours, runs=self.runs - 1)

    def _no_memory(self, estimate: Estimate) -> str:
        needs = 0.0 if estimate.host_memory is None else estimate.host_memory.high
        room = self.memory_room
        if room is None or room > needs or self._is_as_free_as_can_be():
            return ''
        kept = [f'{self.reserve} MiB stay free']
        kept += [f'{self.promised:.0f} MiB are still taken by runs that were started'] if self.promised else []
        expected = f'a run is expected to take {needs:.0f} MiB of host memory; ' if needs else 'host memory: '
        return f'{expected}{self.memory_free} of {self.memory_total} MiB are free, of which {", ".join(kept)}'

    def _is_as_free_as_can_be(self) -> bool:
        """Whether waiting would gain nothing: a run that is expected to take it all must not wait for ever."""
        free, total = self.memory_free or 0, self.memory_total or 0
        return not self.runs and free > AS_FREE_AS_CAN_BE * total

    def _no_cores(self, estimate: Estimate) -> str:
        needs, cores = cores_for(estimate, self.unknown_cores), f'{self.cores:g} {noun_for(self.cores, "core")}'
        if self.runs >= self.most_runs:
            share = count_of(self.runs, 'run shares', 'runs share')
            return f'{share} {cores}, and there are at most {MOST_PER_CORE} per core'
        is_little = self.ours + needs <= OURS_ANYWAY
        if not self.runs or is_little or self.cores_free >= LEAST_SHARE * needs:
            return ''
        others = f', others use {self.others:.1f}' if self.others >= 0.05 else ''
        taken = f'{count_of(self.runs, "run keeps", "runs keep")} {self.ours:.1f} of them busy{others}'
        return f'a run needs {needs:.1f} of the {cores}, and {taken}'


def with_starts(reading: HostReading, starts: Iterable[OtherStart]) -> HostReading:
    """What a machine has when runs have taken what they still will that other hpsearch have just started.

    Args:
        reading: What it has now.
        starts: Those runs, each with what it will take beyond that; what is not known of one counts as nothing.
    """
    found = list(starts)
    memory, cores = sum(each.host_memory or 0 for each in found), sum(each.cpu or 0.0 for each in found)
    free = None if reading.memory_free is None else max(0, reading.memory_free - memory)
    busy = min(reading.cores, (reading.busy or 0.0) + cores) if cores else reading.busy
    return replace(reading, memory_free=free, busy=busy)


def host_room(reading: HostReading, tenants: Iterable[HostTenant]) -> HostRoom:
    """What a machine has left for runs that compute on its cores.

    Args:
        reading: What it has.
        tenants: The runs of this search on it, those of other writers included.
    """
    everybody = list(tenants)
    used = sum(tenant.cores() if tenant.cpu is None else tenant.cpu for tenant in everybody)
    others = 0.0 if reading.busy is None else min(reading.cores, max(0.0, reading.busy - used))
    room = _room(reading, everybody, UNKNOWN_CORES)
    return replace(room, others=others, most_runs=MOST_PER_CORE * reading.cores)


def host_room_for_gpus(reading: HostReading, tenants: Iterable[HostTenant]) -> HostRoom:
    """What a machine has left for runs that compute on its GPUs; arguments as for :func:`host_room`.

    They use cores to feed a GPU. It would stand idle if what others compute counted, or what is not known yet; but if
    runs of this search use all cores together, another one gains nothing.
    """
    return _room(reading, list(tenants), 0.0)


def _room(reading: HostReading, tenants: Sequence[HostTenant], unknown: float) -> HostRoom:
    return HostRoom(
        memory_total=reading.memory_total,
        memory_free=reading.memory_free,
        reserve=min(MOST_RESERVED, int(RESERVED_SHARE * (reading.memory_total or 0))),
        promised=sum(tenant.still_taking for tenant in tenants),
        cores=reading.cores,
        ours=sum(tenant.cores(unknown) for tenant in tenants),
        runs=len(tenants),
        unknown_cores=unknown,
    )
