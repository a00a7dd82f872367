"""Which of the runs that wait are started now on a machine without GPUs. Pure.

The first runs are measured: nothing is known of what such runs take. Others follow as long as fewer are new than have
been measured, so that their number doubles every few seconds instead of filling the memory at once. Where enough is
known of them, as many are started as the cores and the memory have room for, the longest first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpsearch.model.resources import Slot
from hpsearch.model.units import count_of
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.box import HAS_THE_MACHINE, Candidate, Packing, Start
from hpsearch.packing.host_room import HostRoom, HostTenant, host_room

MEASURED_AFTER = 10.0
"""Seconds after its start from which on what a run uses says something about others."""

CORES_PER_SCOUT = 8
"""Of so many cores, one is used by the first runs, of which nothing is known: at least one run."""

MOST_OFF = 10.0
"""Factor by which runs may use more or fewer cores than was expected of them, at most, for that to be learned from."""

MANY = 1e6
"""More runs than any machine has at a time."""


def pack_on_cores(
    reading: HostReading,
    tenants: Sequence[HostTenant],
    candidates: Sequence[Candidate],
    *,
    ended: int = 0,
    may_grow: bool = False,
) -> Packing:
    """Decide which runs are started now.

    Args:
        reading: What the machine has.
        tenants: The runs of this search on it.
        candidates: The runs that wait, in the order of the search.
        ended: How many runs have ended on this machine.
        may_grow: Whether more runs may be chosen than wait now.
    """
    if any(tenant.alone_on_host for tenant in tenants):
        return Packing(waiting=HAS_THE_MACHINE)
    ordered = _in_order(candidates, is_empty=not tenants)
    if ordered and _needs_the_machine(ordered[0]):
        return Packing((Start(ordered[0].run, Slot()),))
    most = math.inf if may_grow else len(candidates) + len(tenants)
    return _Filling(reading, tenants, ended, most).fill(ordered)


def _in_order(candidates: Sequence[Candidate], *, is_empty: bool) -> list[Candidate]:
    """Those that may be started, the longest first, and of these the largest.

    A run that needs the machine for itself is the first where it has that, and waits otherwise.
    """
    able = [each for each in candidates if is_empty or not _needs_the_machine(each)]
    return sorted(able, key=_rank)


def _needs_the_machine(candidate: Candidate) -> bool:
    return candidate.resources.alone or candidate.resources.alone_on_host


def _rank(candidate: Candidate) -> tuple[bool, float, float]:
    seconds, memory = candidate.estimate.seconds, candidate.estimate.host_memory
    return not _needs_the_machine(candidate), -(seconds.expected if seconds else 0.0), -(memory.high if memory else 0.0)


@dataclass
class _Filling:
    """A machine while runs are started on it."""

    reading: HostReading
    tenants: Sequence[HostTenant]
    ended: int
    runs_left: float

    def __post_init__(self) -> None:
        self.room = host_room(self.reading, self.tenants)
        measured = [tenant for tenant in self.tenants if tenant.age >= MEASURED_AFTER]
        self.new = len(self.tenants) - len(measured)
        self.most_new = max(len(measured) + self.ended, int(self.reading.cores / CORES_PER_SCOUT), 1)
        self.correction = cores_correction(self.tenants)

    def fill(self, ordered: Sequence[Candidate]) -> Packing:
        """Start what has room; behind a run that has none, only what ends before there is some."""
        starts: list[Start] = []
        waiting, until = '', math.inf
        for candidate in ordered:
            estimate = _corrected(candidate.estimate, self.correction)
            if why := self._is_too_new(estimate):
                waiting = waiting or why
                break
            why = self.room.why_not(estimate) or _would_delay(estimate, until)
            if why:
                until = until if waiting else self._begin_of(estimate)
                waiting = waiting or why
                continue
            starts.append(Start(candidate.run, Slot(threads=self._threads(estimate))))
            self._add(estimate)
        return Packing(tuple(starts), waiting=waiting)

    def _is_too_new(self, estimate: Estimate) -> str:
        """Why a run of which too little is known waits for those that are measured; empty: it need not."""
        if is_known(estimate) or self.new < self.most_new:
            return ''
        runs = count_of(self.new, 'run takes that was', 'runs take that were')
        return f'it is measured for {MEASURED_AFTER:g} s what {runs} just started'

    def _add(self, estimate: Estimate) -> None:
        self.room = self.room.with_run(estimate)
        self.new += not is_known(estimate)

    def _begin_of(self, estimate: Estimate) -> float:
        """Seconds until runs that end will have made room; infinite: they never will, others are in the way."""
        left = self.room
        for tenant in sorted(self.tenants, key=lambda tenant: tenant.remaining):
            left = left.without(tenant)
            if not left.why_not(estimate):
                return tenant.remaining if tenant.remaining < math.inf else 0.0
        return math.inf

    def _threads(self, estimate: Estimate) -> int | None:
        """How many threads a run starts, given how many there will be at a time; None: there will be no other."""
        runs = int(min(self.runs_left, _fitting(self.room, estimate), MANY))
        cores = max(1.0, self.room.cores - self.room.others)
        return max(1, int(cores / min(runs, int(cores)))) if runs > 1 else None


def _fitting(room: HostRoom, estimate: Estimate) -> float:
    """For how many such runs there would be memory on the whole machine."""
    guess = estimate.host_memory
    if room.memory_total is None or guess is None or guess.expected <= 0:
        return math.inf
    return (room.memory_total - room.reserve) / guess.expected


def _would_delay(estimate: Estimate, until: float) -> str:
    """Why a run waits behind another one for which there will be room in so many seconds; empty: it need not."""
    if until == math.inf or (estimate.seconds is not None and estimate.seconds.high <= until):
        return ''
    return 'it would keep a longer one waiting'


def is_known(estimate: Estimate) -> bool:
    """Whether it is known well enough what a run takes of the host."""
    memory, cpu = estimate.host_memory, estimate.cpu
    return memory is not None and memory.is_known and cpu is not None and cpu.is_known


def cores_correction(tenants: Sequence[HostTenant]) -> float:
    """How many times as many cores runs use as was expected of them.

    What is expected comes from earlier runs, which may have been told to start other numbers of threads.
    """
    told = [(each.cpu, each.estimate.cpu.expected) for each in tenants if each.is_settled and each.estimate.cpu]
    known = [(cpu, guess) for cpu, guess in told if cpu is not None]
    used, expected = sum(cpu for cpu, _ in known), sum(guess for _, guess in known)
    return min(MOST_OFF, max(1 / MOST_OFF, used / expected)) if used > 0 and expected > 0 else 1.0


def _corrected(estimate: Estimate, factor: float) -> Estimate:
    cpu = estimate.cpu
    if cpu is None or factor == 1.0:
        return estimate
    return replace(estimate, cpu=Guess(factor * cpu.expected, factor * cpu.high, cpu.is_known))
