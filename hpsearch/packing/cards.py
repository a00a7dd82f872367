"""One GPU while runs are packed: what is left of it, and why it gets no other run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hpsearch.model.placement import GpuCase, free_memory, small_use, why_closed
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Reading, ResourceRequest
from hpsearch.model.units import duration
from hpsearch.packing.needs import UNKNOWN_LOAD, Need
from hpsearch.packing.throughput import Sharing

RESERVED_SHARE = 0.02
"""Share of a GPU's memory that stays free: what drivers and libraries allocate for themselves, and rounding."""

LATER_SHARE = 0.03
"""What a run that has settled may still take, as a share of what it uses: allocators grow by blocks."""

MOST_LATER = 0.25
"""The same at most, where it is expected to come to use more: some runs grow when they evaluate for the first time."""

ALMOST_ALL = 0.85
"""The share of what is expected of its memory from which on a run counts as having all."""

OTHERS_LOAD = 0.5
"""The load that others count as who use a GPU: they may pause just now."""

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
    ends: float = math.inf


@dataclass(frozen=True, slots=True)
class Reservation:
    """A run that a GPU is kept for.

    Attributes:
        need: What the run needs.
        at: When there will be room for it; infinite: when what runs there now has ended, whenever that is.
    """

    need: Need
    at: float


@dataclass
class Card:
    """What is left of a GPU.

    Attributes:
        case: What is known of it.
        sharing: How runs slow each other.
        startup_time: Seconds after its start for which a run reserves all that it is expected to need, at most.
        promised: MiB that runs of other hpsearch will still take, which they have just started.
        promised_load: The load that these will put there.
        siblings: MiB that runs of other hpsearch of this user use, as far as is known.
        free: MiB that a run may take.
        load: The load that is there, or soon will be.
        others_load: The part of it that is not ours.
        held: Our runs there.
        closed: Why it gets no run at all, in words; empty: it may.
        is_empty: Whether none of our runs is there and others use little of it.
        is_settled: Whether no run there may still take more than it uses.
        explored: Whether a run is there whose need is not known yet.
        kept_for: A run that it is kept for, or None.
        is_trial: Whether a second run is started here to learn whether a busy GPU gets more done by it.
    """

    case: GpuCase
    sharing: Sharing
    startup_time: float
    promised: int = 0
    promised_load: float = 0.0
    siblings: int = 0
    free: float = 0.0
    load: float = 0.0
    others_load: float = 0.0
    held: list[Held] = field(default_factory=list)
    closed: str = ''
    is_empty: bool = False
    is_settled: bool = True
    explored: bool = False
    kept_for: Reservation | None = None
    is_trial: bool = False
    _closed_without_ours: dict[ResourceRequest, bool] = field(default_factory=dict)

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
    def reserve(self) -> float:
        """MiB that stay free in any case."""
        return RESERVED_SHARE * self.total

    @property
    def room(self) -> float:
        """MiB that a run may take while nothing else is there."""
        if not self.total:
            return 0.0
        newest = self.case.newest
        kept = 0 if newest.memory_free is None else self.total - (newest.memory_used or 0) - newest.memory_free
        return self.total - max(0, kept) - self.reserve

    # What is there

    def _measure(self) -> None:
        counted, ours = self.case.counted, self.case.ours
        self.held = [self._held(tenant) for tenant in ours]
        others = _others_memory(counted, ours)
        loading = sum(max(0.0, held.memory - (tenant.memory or 0)) for held, tenant in self._pairs())
        free = min(free_memory(reading) for reading in counted) - self.reserve - loading - self.promised
        siblings = min(others, self.siblings)  # which, like our own runs, have most of what they will use
        strangers = others - siblings
        self.free = free - MOST_LATER * siblings - min(strangers, max(0.0, free / 2))  # who may come to need more
        still = [tenant for tenant in ours if self._is_loading(tenant)]
        self.is_settled = not still
        self.explored = any(not tenant.estimate.memory or not tenant.estimate.memory.is_known for tenant in still)
        self.is_empty = not ours and not self.promised_load and others <= small_use(self.case.newest)
        self._measure_load(has_others=strangers > small_use(self.case.newest), has_siblings=siblings > 0)
        slowed = self.sharing.slowed_by(self.load, len(ours))
        self.held = [replace(held, ends=self._end_of(tenant, slowed)) for held, tenant in self._pairs()]

    def _pairs(self) -> Iterator[tuple[Held, GpuTenant]]:
        return zip(self.held, self.case.ours, strict=True)

    def _measure_load(self, *, has_others: bool, has_siblings: bool) -> None:
        loads = [reading.load for reading in self.case.counted if reading.load is not None]
        expected = sum(held.load for held in self.held)
        running = sum(held.load for held, tenant in self._pairs() if not self._is_loading(tenant))
        shown = max(0.0, max(loads, default=0.0) - running)
        if has_others:
            self.others_load = max(shown, OTHERS_LOAD)
        elif has_siblings or not self.held:
            self.others_load = shown
        self.others_load += self.promised_load
        self.load = max(expected + self.others_load, max(loads, default=0.0))

    def _is_loading(self, tenant: GpuTenant) -> bool:
        """Whether a run may still take what it is expected to need: it has not settled, nor had the time to."""
        late, age = tenant.estimate.settled_after, self.case.now - tenant.started
        if tenant.is_settled:
            # A start pauses at times, when data are read for example.
            return age < (self.startup_time / 2 if late is None else late.high) and not _has_all(tenant)
        return age < max(self.startup_time, 0.0 if late is None else late.high) or tenant.memory == 0

    def _held(self, tenant: GpuTenant) -> Held:
        guess, present, is_loading = tenant.estimate.memory, tenant.memory or 0, self._is_loading(tenant)
        memory = (1 + LATER_SHARE) * present
        if guess is not None and is_loading:
            memory = max(memory, guess.high)
        elif guess is not None and guess.is_known:
            memory = max(memory, min(guess.expected, (1 + MOST_LATER) * present))
        return Held(memory, self._load_of(tenant, is_loading=is_loading))

    def _load_of(self, tenant: GpuTenant, *, is_loading: bool) -> float:
        """The load that a run of ours puts there: what is expected, or what was measured where that is more."""
        guess, measured = tenant.estimate.load, tenant.measured.gpu_load
        if guess is None and (is_loading or measured is None):
            return UNKNOWN_LOAD if is_loading else 0.0  # later, what the GPU shows counts
        if is_loading:
            measured = None
        # Beside others, a run shows less than it would alone.
        return max(measured or 0.0, 0.0 if guess is None else min(1.0, guess.expected))

    def _end_of(self, tenant: GpuTenant, slowed: float) -> float:
        guess, age = tenant.estimate.seconds, self.case.now - tenant.started
        if guess is None:
            return math.inf
        return self.case.now + max(guess.expected * slowed - age, OVERDUE_BY * age)

    # Whether another one fits

    def is_full(self, memory: float | None, load: float) -> bool:
        """Whether no run gets in that needs as much memory or more (None: unknown), and puts as much load or more."""
        return not self.is_empty and (
            bool(self.closed)
            or self.explored
            or self._lacks(memory)
            or not self._is_worthwhile(load)
            or self._slows_others(memory, load)
        )

    def _lacks(self, memory: float | None) -> bool:
        return any(self._unfit_for_unknown()) if memory is None else memory > self.free

    def fits(self, need: Need) -> bool:
        """Whether a run may start here now."""
        if need.memory is not None and need.memory > self.free and not self.is_empty:
            return False
        return next(self.why_not(need), None) is None

    def why_not(self, need: Need) -> Iterator[str]:
        """Why a run cannot start here now: reasons in the order of their precedence."""
        resources = need.candidate.resources
        closed = self.closed if resources == DEFAULT_RESOURCES else why_closed(replace(self.case, resources=resources))
        if closed:
            yield closed
        if self.explored:
            yield 'a run started there, and it is not known yet what it needs'
        yield from self._no_memory(need) if need.memory is not None else self._unfit_for_unknown()
        yield from self._no_load(need)
        yield from self._is_kept(need)

    def _no_memory(self, need: Need) -> Iterator[str]:
        memory, free = need.memory or 0.0, free_memory(self.case.newest)
        if need.is_risky and not self.is_settled:
            yield 'it is not certain what the next run needs: it starts when all runs there have settled'
        if memory <= self.free or (self.is_empty and self._may_try(need)):
            return
        kept = max(0.0, free - self.free)
        how_much = 'all' if kept >= free else f'{kept:.0f} MiB'
        why = f', of which {how_much} are kept for what runs there and as a reserve' if kept >= 1 else ''
        yield f'a run is expected to need up to {memory:.0f} MiB; {free} MiB are free{why}'

    def _may_try(self, need: Need) -> bool:
        """Whether a run is tried here that may need more than there is, since nothing else is here."""
        return self.room >= need.least or (need.is_risky and self.room >= need.expected)

    def _unfit_for_unknown(self) -> Iterator[str]:
        """Nobody knows what the run needs: it is alone here until that is known."""
        if self.case.ours:
            yield 'it is not known yet what runs need: they start on GPUs without other runs of this search'
        used = max((reading.memory_used or 0 for reading in self.case.counted), default=0)
        if used + self.promised > self.total / 2:
            yield f'it is not known yet what runs need, and others use {used + self.promised} of {self.total} MiB'

    def _no_load(self, need: Need) -> Iterator[str]:
        if not self._is_worthwhile(need.load):
            more = f'a run is expected to add {need.load:.2f}, by which little more would get done'
            yield f'its load is {self.load:.2f}, and {more}'
        elif self._slows_others(need.memory, need.load):
            yield f'others put a load of {self.others_load:.2f} on it, and a run of {need.load:.2f} would slow them'

    def _is_worthwhile(self, load: float) -> bool:
        """Whether enough more gets done here by a run with such a load, or whether that is to be learned here."""
        is_trial = self.is_trial and len(self.held) == 1
        return is_trial or self.sharing.is_worthwhile(self.load, load, len(self.held))

    @property
    def may_be_trial(self) -> bool:
        """Whether one run of ours has this GPU for itself, and is at work."""
        return len(self.held) == 1 and self.is_settled and not self.others_load and not self.closed

    def _slows_others(self, memory: float | None, load: float) -> bool:
        """Whether a run would slow others; one of which nothing is known is tried where they leave half of a GPU."""
        added = OTHERS_LOAD if memory is None else load
        return bool(self.others_load) and self.load + added > max(1.0, self.others_load)

    # Starting

    def add(self, need: Need) -> None:
        """A run is started here."""
        now, candidate = self.case.now, need.candidate
        self.held.append(Held(need.memory or 0.0, need.load, self.end_of(need)))
        self.free -= need.memory or 0.0
        self.load += need.load
        self.is_empty = False
        self.is_settled = False
        self.explored = self.explored or need.memory is None or need.is_risky
        if self.kept_for is not None and self.kept_for.need is need:
            self.kept_for = None
        tenant = GpuTenant(
            (self.name,), now, 0, exclusive=candidate.resources.alone, run=candidate.run, estimate=candidate.estimate
        )
        self.case = replace(self.case, ours=[*self.case.ours, tenant])
        self.closed = why_closed(self.case)

    def slowed_with(self, need: Need) -> float:
        """The factor by which runs here would take longer if another one started here."""
        return self.sharing.slowed_by(self.load + need.load, len(self.held) + 1)

    def end_of(self, need: Need) -> float:
        """When a run ends that starts here now; infinite: nobody knows."""
        if need.seconds is None:
            return math.inf
        return self.case.now + need.seconds * self.slowed_with(need)

    # Keeping it for a run that waits

    def room_from(self, need: Need) -> float | None:
        """From when on there is room for a run, as far as is known; infinite: nobody knows when; None: never."""
        if not self._may_try(need) or self._is_closed_without_ours(need.candidate.resources):
            return None
        ends = sorted({held.ends for held in self.held})
        return next((at for at in ends if self._has_room_at(at, need)), None)

    def _is_closed_without_ours(self, resources: ResourceRequest) -> bool:
        """Whether it would be closed even if nothing of ours were there; the same for all runs that wait."""
        if resources not in self._closed_without_ours:
            self._closed_without_ours[resources] = bool(why_closed(replace(self.case, ours=(), resources=resources)))
        return self._closed_without_ours[resources]

    def _has_room_at(self, at: float, *needs: Need) -> bool:
        """Whether there is room for these runs once all others have ended that end until then."""
        gone = [held for held in self.held if held.ends <= at]
        is_empty = len(gone) == len(self.held)
        if is_empty and len(needs) == 1:
            return True
        if any(need.memory is None or need.candidate.resources.alone for need in needs):
            return False
        left = len(self.held) - len(gone) + len(needs)
        free = self.free + sum(held.memory for held in gone) - sum(need.memory or 0.0 for need in needs)
        load = self.load - sum(held.load for held in gone) + sum(need.load for need in needs[1:])
        return (
            free >= 0
            and left <= self.case.policy.max_runs_per_gpu
            and self.sharing.is_worthwhile(load, needs[0].load, left - 1)
        )

    def _is_kept(self, need: Need) -> Iterator[str]:
        kept = self.kept_for
        if kept is None or kept.need is need or (math.isfinite(kept.at) and self.end_of(need) <= kept.at):
            return
        if not self._has_room_at(kept.at, kept.need, need):
            when = f', for which there is room in {duration(kept.at - self.case.now)}' if kept.at < math.inf else ''
            yield f'kept for {kept.need.candidate.run}{when}'


def _has_all(tenant: GpuTenant) -> bool:
    """Whether a run uses about as much as runs like it do."""
    guess = tenant.estimate.memory
    return guess is not None and guess.is_known and (tenant.memory or 0) >= ALMOST_ALL * guess.expected


def _others_memory(counted: Sequence[Reading], ours: Sequence[GpuTenant]) -> float:
    """MiB that others use at most, as far as that is known."""
    if any(tenant.memory is None for tenant in ours):
        return 0.0
    mine = sum(tenant.memory or 0 for tenant in ours)
    return max(0.0, *(float((reading.memory_used or 0) - mine) for reading in counted))
