"""Slots on the GPUs of this machine, from their readings and our own attempts."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from hpsearch.backends.local.gpu_neighbours import GpuNeighbours
from hpsearch.backends.local.gpu_room import (
    RoomLeft,
    is_small,
    memory_by_owner,
    others_use_little,
    per_gpu,
    still_to_come,
    with_memory,
)
from hpsearch.backends.local.gpu_use import GpuUse
from hpsearch.backends.local.host_space import HostSpace, host_tenants
from hpsearch.backends.local.slots import NO_MARKS, SlotLease, SlotSource, crowd, machine_is_closed
from hpsearch.host.gpu.monitor import GpuMonitor
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.host.processes import Process, group_of, is_marked
from hpsearch.model.placement import identity, impossible, is_larger, place, predict_need
from hpsearch.model.resources import (
    DEFAULT_RESOURCES,
    Gpu,
    GpuPolicy,
    GpuTenant,
    OtherStart,
    Placement,
    Reading,
    Readings,
    ResourceRequest,
    Slot,
)
from hpsearch.model.snapshot import GpuLine
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.meter import Meter, Occupancy
from hpsearch.packing.box import Candidate, Packing, PackingPolicy
from hpsearch.packing.host_room import HostRoom, host_room_for_gpus
from hpsearch.packing.neighbours.policy import NO_LIMITS
from hpsearch.packing.neighbours.strangers import OwnRun
from hpsearch.packing.pack import pack
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing

LAST_READING_PATIENCE = 10.0
"""Seconds to wait for a reading of the GPUs of an attempt that failed; without it, it may not have been alone."""

SHOWN_FOR = 5.0
"""Seconds for which is shown what packing has decided; after that nothing has been waiting for a while."""


@dataclass
class _GpuLease(SlotLease):
    """An attempt that holds GPUs.

    Attributes:
        group: Its process group.
        marks: What identifies its processes outside that group.
        ended: When it was seen to have ended, in monotonic seconds; None: it was not.
        left: How much of its GPUs it could use.
    """

    group: int = 0
    marks: Mapping[str, str] = field(default_factory=dict)
    ended: float | None = None
    left: RoomLeft = field(default_factory=RoomLeft)

    def note_use(self, now: float) -> None:
        """Let the tenant say what was measured until now (monotonic seconds)."""
        gpu = self.meter.gpu
        measured = self.meter.measured(now)
        self.tenant = replace(self.tenant, memory=gpu.memory, is_settled=gpu.is_settled, measured=measured)

    def owns(self, pid: int) -> bool:
        """Whether a process belongs to it; one that left its process group has its marks."""
        return group_of(pid) == self.group or (bool(self.marks) and is_marked(pid, self.marks))


class GpuSlots(SlotSource):
    """Slots on the GPUs of this machine, by the rules of :mod:`hpsearch.model.placement`.

    Args:
        monitor: Readings of the GPUs.
        gpus: Those that may be used.
        policy: The thresholds.
        starts: The runs that others start here, and ours for them.
        packing: The limits of packing; None: the thresholds decide.
        neighbours: What is left to others; None: only what the thresholds leave.
        space: The memory and the cores for runs, a limit of packing; None: none.
    """

    def __init__(
        self,
        monitor: GpuMonitor,
        gpus: Sequence[Gpu],
        policy: GpuPolicy,
        starts: GpuStarts,
        packing: PackingPolicy | None = None,
        neighbours: GpuNeighbours | None = None,
        space: HostSpace | None = None,
    ) -> None:
        self._space = space
        self._neighbours = neighbours or GpuNeighbours(gpus, NO_LIMITS)
        self._monitor = monitor
        self._gpus = gpus
        self._policy = policy
        self._packing = packing
        self._recent_starts = starts
        self._other_starts: Sequence[OtherStart] = ()
        self._held: dict[str, _GpuLease] = {}
        self._others: Sequence[GpuTenant] = ()
        self._measured: dict[str, float] = {}
        self._freed: dict[str, float] = {}
        self._starts: dict[str, float] = {}
        self._totals: dict[str, int | None] = dict.fromkeys(gpu.name for gpu in gpus)
        self._peaks: dict[str, int] = {}
        self._ended_peaks: list[int] = []
        self._avoided: Mapping[str, str] = {}
        self._use = GpuUse()
        self._occupancy = {gpu.name: Occupancy() for gpu in gpus}
        self._shown: tuple[float, Mapping[str, str]] = -math.inf, {}

    def placing(self) -> AbstractContextManager[bool]:
        return self._recent_starts.lock()

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        self._see(others, now)
        self._look_for_starts()
        return self._placement(now, resources)

    def _look_for_starts(self) -> None:
        """Take in what others have started, and what of it cannot be seen yet."""
        histories = self._monitor.readings()
        latest = {identity(gpu): histories[gpu.name][-1] for gpu in self._gpus if histories.get(gpu.name)}
        self._other_starts = [still_to_come(start, latest) for start in self._recent_starts.others()]

    def _placement(self, now: float, resources: ResourceRequest = DEFAULT_RESOURCES) -> Placement:
        self._measure()
        waiting = machine_is_closed(self._everybody(), resources)
        if waiting:
            return Placement(closed={gpu.name: waiting for gpu in self._gpus}, waiting=waiting)
        need, readings = predict_need(self._ended_peaks), self._monitor.readings()
        placement = place(
            self._gpus,
            readings,
            [per_gpu(tenant, is_known=need is not None) for tenant in self._everybody()],
            self._policy,
            now,
            need=need,
            freed=self._freed,
            starts=self._starts,
            resources=resources,
            other_starts=self._other_starts,
            avoided=self._closed(readings, now),
        )
        kept, beyond = self._within_quota(placement.slots, readings)
        return replace(placement, slots=tuple(kept), closed={**placement.closed, **beyond})

    def _closed(self, readings: Readings, now: float) -> Mapping[str, str]:
        """Why GPUs get no run, whatever room they have."""
        left = self._neighbours.closed(readings, self._everybody(), self._other_starts, now)
        return {**left, **self._avoided}

    @property
    def assigns_gpus(self) -> bool:
        return True

    @property
    def packs(self) -> bool:
        return self._packing is not None

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        self._see(others, now)
        self._look_for_starts()
        self._measure()
        self._end_reservations()
        packing = self._packed(now, candidates, sharing)
        self._shown = now, packing.closed
        return packing

    def _packed(self, now: float, candidates: Sequence[Candidate], sharing: Sharing = NOTHING_LEARNED) -> Packing:
        everybody = self._everybody()
        waiting = machine_is_closed(everybody, DEFAULT_RESOURCES)
        if self._packing is None or waiting:
            return Packing(closed={gpu.name: waiting for gpu in self._gpus}, waiting=waiting)
        readings = self._monitor.readings()
        ours = [per_gpu(held.tenant, is_known=not held.meter.gpu.is_lost) for held in self._held.values()]
        packing = pack(
            self._gpus,
            readings,
            [*ours, *(with_memory(tenant, readings) for tenant in self._others)],
            beside(candidates, everybody),
            self._packing,
            now,
            freed=self._freed,
            other_starts=self._other_starts,
            avoided=self._closed(readings, now),
            sharing=sharing,
            host=self._host_room(now),
            siblings=self._neighbours.siblings,
        )
        kept, beyond = self._within_quota([start.slot for start in packing.starts], readings)
        starts = tuple(start for start in packing.starts if start.slot in kept)
        return replace(packing, starts=starts, closed={**packing.closed, **beyond})

    def _within_quota(self, slots: Sequence[Slot], readings: Readings) -> tuple[Sequence[Slot], Mapping[str, str]]:
        return self._neighbours.within_quota(slots, readings, self._everybody(), self._other_starts)

    def _host_room(self, now: float) -> HostRoom | None:
        """What the machine has left beside its GPUs."""
        if self._space is None:
            return None
        tenants = host_tenants(self._held.values(), self._others, now)
        return host_room_for_gpus(self._space.reading(tenants, now), tenants)

    def _end_reservations(self) -> None:
        """What a run uses that has settled can be read, so that no other hpsearch has to reserve anything for it."""
        for ident, held in self._held.items():
            if held.tenant.is_settled:
                self._recent_starts.forget(ident)

    def _everybody(self) -> list[GpuTenant]:
        return [*(held.tenant for held in self._held.values()), *self._others]

    def impossible(self, resources: ResourceRequest) -> str:
        """Judged by the total memory of the GPUs, as far as they could be read."""
        self._measure()
        return impossible(self._totals, resources, self._policy.gpus_per_run)

    def acquire(
        self,
        ident: str,
        slot: Slot,
        group: int,
        now: float,
        resources: ResourceRequest = DEFAULT_RESOURCES,
        marks: Mapping[str, str] = NO_MARKS,
        candidate: Candidate | None = None,
    ) -> None:
        candidate = candidate or Candidate('')
        tenant = GpuTenant(
            slot.gpus,
            now,
            exclusive=resources.alone,
            alone_on_host=resources.alone_on_host,
            run=candidate.run,
            estimate=candidate.estimate,
        )
        is_alone = self._is_free_of_others(slot.gpus, now)
        places = [self._occupancy[gpu] for gpu in slot.gpus if gpu in self._occupancy]
        meter = Meter(now, places, since=max((each.at for each in places), default=now))
        self._held[ident] = _GpuLease(tenant, meter, was_alone=is_alone, group=group, marks=marks)
        self._use.begin(ident, self._held, self._monitor.readings(), self._freed)
        for gpu in slot.gpus:
            self._starts[gpu] = max(now, self._starts.get(gpu, now))
        self._neighbours.holders.search = marks.get('HPSEARCH_DIR_ID', self._neighbours.holders.search)
        self._see(self._others, now)

    def announce(self, ident: str, slot: Slot, process: Process) -> None:
        gpus = [identity(gpu) for gpu in self._gpus if gpu.name in slot.gpus]
        self._recent_starts.note(ident, gpus, process, self._policy.startup_time, self._expected_of(ident))

    def _expected_of(self, ident: str) -> Estimate:
        """What an attempt is expected to need: as it was placed, or else what ended runs have used at most."""
        held, most = self._held.get(ident), predict_need(self._ended_peaks)
        known = held.tenant.estimate if held is not None else NOTHING_EXPECTED
        if known.memory is not None or most is None:
            return known
        return replace(known, memory=Guess(most, most))

    def _is_free_of_others(self, gpus: Sequence[str], now: float) -> bool:
        """Whether little was in use when a run started; False when it is adopted and that is not known any more."""
        histories = self._monitor.readings()
        last = [next((one for one in reversed(histories.get(gpu, ())) if one.at <= now), None) for gpu in gpus]
        return all(reading is not None and is_small(reading.memory_used, reading) for reading in last)

    def _see(self, others: Sequence[GpuTenant], now: float) -> None:
        """Remember which of our attempts have not been alone."""
        self._others = tuple(others)
        self._use.crowd({gpu for tenant in others for gpu in tenant.gpus}, self._held)
        self._note_occupancy(now)
        everybody = self._everybody()
        if len(everybody) > 1:
            crowd(self._held.values())
        crowded = _more_than_once(gpu for tenant in everybody for gpu in tenant.gpus)
        for held in self._held.values():
            held.was_alone = held.was_alone and crowded.isdisjoint(held.tenant.gpus)

    def _note_occupancy(self, now: float) -> None:
        counts = Counter(gpu for tenant in self._everybody() for gpu in tenant.gpus)
        for gpu, occupancy in self._occupancy.items():
            occupancy.note(now, counts[gpu])

    def knows_room(self, ident: str, now: float) -> bool:
        """Whether its GPUs were read since it ended: then all that is in use belongs to others."""
        held = self._held.get(ident)
        if held is None:
            return True
        if held.ended is None:
            held.ended = now
            self._monitor.refresh(held.tenant.gpus)
        self._measure()
        ended = held.ended
        if all(self._measured.get(gpu, -math.inf) >= ended for gpu in held.tenant.gpus):
            return True
        held.was_alone = held.was_alone and now - ended < LAST_READING_PATIENCE
        return now - ended >= LAST_READING_PATIENCE

    def room(self, ident: str) -> Mapping[str, Any]:
        self._measure()
        held = self._held.get(ident)
        if held is None:
            return {}
        totals = [self._totals.get(gpu) for gpu in held.tenant.gpus]
        known = [total for total in totals if total is not None]
        total = min(known) if known and len(known) == len(totals) else None
        return {
            'was_alone': held.was_alone,
            'gpu_total': total,
            'largest': total is not None and self._is_largest(total),
            'alone_on_host': held.alone_on_host,
            **self._had(held),
        }

    def _had(self, held: _GpuLease) -> Mapping[str, int]:
        """The memory that an attempt could use when it ended, where runs are placed by their memory."""
        readings = self._monitor.readings()
        latest = {gpu: readings[gpu][-1] for gpu in held.tenant.gpus if readings.get(gpu)}
        had = held.left.at_its_end(latest, math.inf if held.ended is None else held.ended)
        return {'had': had} if self.packs and had is not None else {}

    def problem(self, ident: str) -> str:
        held, readings = self._held.get(ident), self._monitor.readings()
        last = {gpu: readings[gpu][-1].problem for gpu in (held.tenant.gpus if held else ()) if readings.get(gpu)}
        return '; '.join(f'GPU {gpu}: {problem}' for gpu, problem in last.items() if problem)

    def _is_largest(self, total: int) -> bool:
        """Whether there are not enough larger GPUs, of those that could ever be read."""
        larger = [name for name, known in self._totals.items() if known is not None and is_larger(known, total)]
        return len(larger) < self._policy.gpus_per_run

    def look(self, now: float) -> None:
        self._measure()

    def meter(self, ident: str) -> Meter | None:
        held = self._held.get(ident)
        return held.meter if held else None

    def elsewhere(self, ident: str) -> Sequence[str]:
        return self._use.elsewhere(ident)

    def release(self, ident: str, now: float) -> int | None:
        """Its GPUs are read again at once, so that the next run need not wait for the next reading."""
        self._recent_starts.forget(ident)
        held = self._held.pop(ident, None)
        peak = self._peaks.pop(ident, None)
        if held is None:
            return peak
        gpus = held.tenant.gpus
        self._use.end(ident, held, self._held, now)
        self._note_occupancy(now)
        self._freed.update(dict.fromkeys(gpus, now))
        self._monitor.refresh(gpus)
        if peak is not None:
            self._ended_peaks.append(peak // len(gpus))
        return peak

    def _measure(self) -> None:
        """Take in what is new: the memory that each of our attempts uses, and whether others use little."""
        histories = self._monitor.readings()
        latest = {name: readings[-1] for name, readings in histories.items() if readings}
        if all(self._measured.get(name) == reading.at for name, reading in latest.items()):
            return
        owner_of = functools.cache(self._owner_of)
        run_of = functools.partial(self._run_of, owner_of=owner_of)
        for ident, memory in memory_by_owner(latest, owner_of).items():
            self._peaks[ident] = max(memory, self._peaks.get(ident, 0))
        for name, reading in latest.items():
            new = [one for one in histories[name] if one.at > self._measured.get(name, -math.inf)]
            self._hold_against(name, new)
            self._use.take(name, new, self._held, owner_of)
            self._neighbours.take_in(name, new, self._known_use(name), run_of, self._other_starts)
            self._measured[name] = reading.at
            if self.packs:
                self._note_left(name, reading, owner_of)
        self._look_elsewhere(owner_of)
        for held in self._held.values():
            held.note_use(max(self._measured.values()))
        self._totals.update({name: one.memory_total for name, one in latest.items() if one.memory_total})

    def _look_elsewhere(self, owner_of: Callable[[int], str | None]) -> None:
        """See whether our attempts are on GPUs that may not be used."""
        for name, history in self._monitor.readings_elsewhere().items():
            new = [one for one in history if one.at > self._measured.get(name, -math.inf)]
            self._use.take(name, new, self._held, owner_of)
            self._measured[name] = max((one.at for one in history), default=-math.inf)

    def _note_left(self, gpu: str, reading: Reading, owner_of: Callable[[int], str | None]) -> None:
        """Take in how much of a GPU each attempt on it could use."""
        own = memory_by_owner({gpu: reading}, owner_of)
        for ident, held in self._held.items():
            if gpu in held.tenant.gpus and held.ended is None:
                held.left.note(gpu, reading, own.get(ident, 0))

    def _hold_against(self, gpu: str, readings: Sequence[Reading]) -> None:
        """Note which attempts on a GPU were not alone there, as new readings of it show."""
        for held in self._held.values():
            if gpu in held.tenant.gpus and held.was_alone:
                since = [reading for reading in readings if reading.at > held.tenant.started]
                held.was_alone = all(others_use_little(one, held.owns, held.ended) for one in since)

    def _owner_of(self, pid: int) -> str | None:
        return next((ident for ident, held in self._held.items() if held.owns(pid)), None)

    def _run_of(self, pid: int, owner_of: Callable[[int], str | None]) -> str | None:
        """The run of ours that a process belongs to."""
        ident = owner_of(pid)
        return None if ident is None else self._held[ident].tenant.run

    def _known_use(self, gpu: str) -> int | None:
        """MiB that runs of this search use of a GPU; None: that of one of them is not known."""
        uses = [per_gpu(tenant, is_known=False).memory for tenant in self._everybody() if gpu in tenant.gpus]
        known = [use for use in uses if use is not None]
        return sum(known) if len(known) == len(uses) else None

    def leaving(self, going: Collection[str], now: float) -> Mapping[str, str]:
        self._measure()
        ours = {
            gpu.name: [
                OwnRun(ident, held.tenant.started, ident in going)
                for ident, held in self._held.items()
                if gpu.name in held.tenant.gpus
            ]
            for gpu in self._gpus
        }
        return self._neighbours.leaving(ours, self._monitor.readings(), self._freed, now)

    def avoid(self, gpus: Mapping[str, str]) -> None:
        self._avoided = gpus

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """The latest reading of each GPU beside why it is closed."""
        closed = self._closed_now(now)
        readings = self._monitor.readings()
        return tuple(self._line(gpu, readings.get(gpu.name, ()), closed.get(gpu.name, ''), now) for gpu in self._gpus)

    def _closed_now(self, now: float) -> Mapping[str, str]:
        """Why GPUs get no run; where runs are packed, why not the first of those that wait."""
        at, closed = self._shown
        if not self.packs:
            return self._placement(now).closed
        return closed if now - at <= SHOWN_FOR else self._packed(now, ()).closed

    def _line(self, gpu: Gpu, readings: Sequence[Reading], closed: str, now: float) -> GpuLine:
        last = readings[-1] if readings else Reading(at=0.0)
        own = [held.tenant for held in self._held.values() if gpu.name in held.tenant.gpus]
        known = [tenant.memory // len(tenant.gpus) for tenant in own if tenant.memory is not None]
        others = None
        if last.memory_used is not None and len(known) == len(own):
            others = max(0, last.memory_used - sum(known))
        age = round(max(0.0, now - last.at), 1) if readings else None
        used, total = last.memory_used, last.memory_total
        run_of = functools.partial(self._run_of, owner_of=self._owner_of)
        holders = self._neighbours.holders.of(last.processes or (), run_of, self._other_starts)
        return GpuLine(gpu.name, gpu.model, last.load, used, total, len(own), others, closed, age, holders)

    def close(self) -> None:
        self._monitor.close()


def beside(candidates: Sequence[Candidate], held: Sequence[GpuTenant]) -> Sequence[Candidate]:
    """The runs that may be started beside others; where there are none, the first that needs the machine for itself."""
    alone = [candidate for candidate in candidates if candidate.resources.alone_on_host]
    if alone and not held:
        return alone[:1]
    return [candidate for candidate in candidates if not candidate.resources.alone_on_host]


def _more_than_once(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}
