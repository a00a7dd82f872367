"""One GPU while runs are packed: what is left of it, and why it gets no other run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hpsearch.model.placement import GpuCase, free_memory, small_use, why_closed
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Reading
from hpsearch.packing.needs import UNKNOWN_LOAD, Need
from hpsearch.packing.throughput import Sharing

RESERVED_SHARE = 0.02
"""Share of a GPU's memory that stays free: what drivers and libraries allocate for themselves, and rounding."""

LATER_SHARE = 0.03
"""What a run that has settled may still take, as a share of what it uses: allocators grow by blocks."""

OTHERS_LOAD = 0.5
"""The load that others count as who use a GPU: they may pause just now."""

IS_IDLE = 0.05
"""A GPU with less load than this, on which others use little memory, has nobody on it."""

OVERDUE_BY = 0.1
"""A run that takes longer than was expected is expected to take this share of its time more."""


@dataclass(frozen=True, slots=True)
class Held:
    """A run of ours on a GPU.

    Attributes:
        memory: MiB that are free once it has ended, as far as is known.
        load: The load it puts there.
        ends: When it is expected to end; infinite: nobody knows.
    """

    memory: float
    load: float
    ends: float


@dataclass
class Card:
    """What is left of a GPU.

    Attributes:
        case: What is known of it.
        sharing: How runs slow each other.
        startup_time: Seconds after its start for which a run reserves all that it is expected to need, at most.
        promised: MiB that runs of other hpsearch will still take, which they have just started.
        promised_load: The load that these will put there.
        free: MiB that a run may take.
        load: The load that is there, or soon will be.
        others_load: The part of it that is not ours.
        held: Our runs there.
        closed: Why it gets no run at all, in words; empty: it may.
        explored: Whether a run is there whose need is not known yet.
    """

    case: GpuCase
    sharing: Sharing
    startup_time: float
    promised: int = 0
    promised_load: float = 0.0
    free: float = 0.0
    load: float = 0.0
    others_load: float = 0.0
    held: list[Held] = field(default_factory=list)
    closed: str = ''
    explored: bool = False

    def __post_init__(self) -> None:
        self.closed = why_closed(self.case)
        if self.case.readings and self.case.counted:
            self._measure()

    @property
    def name(self) -> str:
        """The name of the GPU."""
        return self.case.gpu.name

    @property
    def total(self) -> int:
        """MiB that it has."""
        return (self.case.newest.memory_total or 0) if self.case.readings else 0

    @property
    def room(self) -> float:
        """MiB that a run may take while nothing else is there."""
        if not self.total:
            return 0.0
        newest = self.case.newest
        kept = 0 if newest.memory_free is None else self.total - (newest.memory_used or 0) - newest.memory_free
        return self.total - max(0, kept) - self.reserve

    @property
    def reserve(self) -> float:
        """MiB that stay free in any case."""
        return RESERVED_SHARE * self.total

    @property
    def is_empty(self) -> bool:
        """Whether none of our runs is there and others use little of it."""
        used = max((reading.memory_used or 0 for reading in self.case.counted), default=0)
        return not self.case.ours and not self.promised_load and used <= small_use(self.case.newest)

    # What is there

    def _measure(self) -> None:
        counted, ours = self.case.counted, self.case.ours
        self.held = [self._held(tenant) for tenant in ours]
        pairs = [*zip(self.held, ours, strict=True)]
        loading = sum(max(0.0, held.memory - (tenant.memory or 0)) for held, tenant in pairs)
        others = self._others_memory(counted)
        kept = self.reserve + loading + self.promised
        self.free = min(free_memory(reading) for reading in counted) - kept
        self.free -= min(others, max(0.0, self.free / 2))  # others may come to need more
        self.explored = any(tenant.estimate.memory is None and self.is_loading(tenant) for tenant in ours)
        self._measure_load(others > small_use(self.case.newest))

    def _others_memory(self, counted: Sequence[Reading]) -> float:
        """MiB that others use at most, as far as that is known."""
        if any(tenant.memory is None for tenant in self.case.ours):
            return 0.0
        ours = sum(tenant.memory or 0 for tenant in self.case.ours)
        return max(0.0, *(float((reading.memory_used or 0) - ours) for reading in counted))

    def _measure_load(self, has_others: bool) -> None:
        loads = [reading.load for reading in self.case.counted if reading.load is not None]
        expected = sum(held.load for held in self.held)
        pairs = zip(self.held, self.case.ours, strict=True)
        running = sum(held.load for held, tenant in pairs if not self.is_loading(tenant))
        if loads and (has_others or not self.case.ours):
            shown = max(0.0, max(loads) - running)
            self.others_load = max(shown, OTHERS_LOAD if has_others else 0.0)
        mean = sum(loads) / len(loads) if loads else 0.0
        self.load = max(expected + self.others_load + self.promised_load, mean)

    def is_loading(self, tenant: GpuTenant) -> bool:
        """Whether a run may still take what it is expected to need: it has not settled, nor had the time to."""
        if tenant.is_settled:
            return False
        guess = tenant.estimate.settled_after
        patience = self.startup_time if guess is None else max(self.startup_time, guess.high)
        return self.case.now - tenant.started < patience or tenant.memory == 0

    def _held(self, tenant: GpuTenant) -> Held:
        estimate, present = tenant.estimate, tenant.memory or 0
        needed = present * (1 + LATER_SHARE)
        if estimate.memory is not None and self.is_loading(tenant):
            needed = max(needed, estimate.memory.high)
        load = self._load_of(tenant)
        return Held(needed, load, self._end_of(tenant))

    def _load_of(self, tenant: GpuTenant) -> float:
        if tenant.estimate.load is not None:
            return min(1.0, tenant.estimate.load.expected)
        return UNKNOWN_LOAD if self.is_loading(tenant) else 0.0  # then what the GPU shows counts

    def _end_of(self, tenant: GpuTenant) -> float:
        guess, age = tenant.estimate.seconds, self.case.now - tenant.started
        if guess is None:
            return math.inf
        return self.case.now + max(guess.expected - age, OVERDUE_BY * age)

    # Whether another one fits

    def why_not(self, need: Need) -> Iterator[str]:
        """Why a run cannot start here now: reasons in the order of their precedence."""
        if need.candidate.resources == DEFAULT_RESOURCES:
            yield from filter(None, [self.closed])
        else:
            yield from filter(None, [why_closed(replace(self.case, resources=need.candidate.resources))])
        yield from self._no_memory(need)
        yield from self._no_load(need)

    def _no_memory(self, need: Need) -> Iterator[str]:
        if self.explored:
            yield 'it is not known yet how much memory the run there needs'
        if need.memory is None:
            yield from self._unfit_for_unknown()
        elif need.memory > self.free and not (self.is_empty and self.room >= need.least):
            kept = f', of which {self._kept():.0f} MiB are kept for what is there and as a reserve'
            free = free_memory(self.case.newest)
            yield f'a run is expected to need up to {need.memory:.0f} MiB; {free} MiB are free{kept}'

    def _unfit_for_unknown(self) -> Iterator[str]:
        """Nobody knows what the run needs: it is alone here until that is known."""
        if self.case.ours:
            yield 'it is not known yet what runs need: they start on GPUs without other runs of this search'
        used = max((reading.memory_used or 0 for reading in self.case.counted), default=0)
        if used + self.promised > self.total / 2:
            yield f'it is not known yet what runs need, and others use {used + self.promised} of {self.total} MiB'

    def _kept(self) -> float:
        return max(0.0, free_memory(self.case.newest) - self.free)

    def _no_load(self, need: Need) -> Iterator[str]:
        if not self.sharing.is_worthwhile(self.load, need.load):
            yield (
                f'the load there is {self.load:.2f}, and a run would add {need.load:.2f}: '
                f'GPUs here do {self.sharing.capacity:.2g} at a time'
            )
        elif self.others_load and self.load + need.load > max(1.0, self.others_load):
            yield f'others put a load of {self.others_load:.2f} on it, and a run of {need.load:.2f} would slow them'

    # Starting

    def add(self, need: Need) -> None:
        """A run is started here."""
        now, estimate = self.case.now, need.candidate.estimate
        resources = need.candidate.resources
        ends = math.inf if need.seconds is None else now + need.seconds / self.sharing.speed(self.load + need.load)
        self.held.append(Held(need.memory or 0.0, need.load, ends))
        self.free -= need.memory or 0.0
        self.load += need.load
        self.explored = self.explored or need.memory is None
        tenant = GpuTenant((self.name,), now, 0, exclusive=resources.alone, run=need.candidate.run, estimate=estimate)
        self.case = replace(self.case, ours=[*self.case.ours, tenant])
        self.closed = why_closed(self.case)
