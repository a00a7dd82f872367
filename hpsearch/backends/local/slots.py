"""Where slots on this machine come from; here: a fixed number (on GPUs: :mod:`hpsearch.backends.local.gpu_slots`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hpsearch.host.processes import Process
from hpsearch.model.placement import expected_seconds, why_no_more
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.snapshot import GpuLine
from hpsearch.model.usage.meter import Meter, Occupancy
from hpsearch.packing.box import HAS_THE_MACHINE, Candidate, Packing
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing

NEEDS_THE_MACHINE = 'a run that ran out of memory waits until no other run of this search is on this machine'

NO_MARKS: Mapping[str, str] = {}

TIME_CHECK_INTERVAL = 5.0
"""Seconds between two checks whether there is time for another run."""


class SlotSource(Protocol):
    """Gives slots for attempts that are known by their ids."""

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """Free slots and why the others are closed.

        Args:
            now: Monotonic seconds.
            others: The attempts of other writers of this search on this machine.
            resources: What the next run needs because it ran out of memory.
        """

    @property
    def assigns_gpus(self) -> bool:
        """Whether runs are given GPUs."""
        return False

    @property
    def packs(self) -> bool:
        """See :attr:`hpsearch.backends.base.AttemptBackend.packs`."""
        return False

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        """See :meth:`hpsearch.backends.base.AttemptBackend.pack`."""
        return Packing()

    def impossible(self, resources: ResourceRequest) -> str:
        """Why no slot here can ever satisfy a request; empty: one may."""

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
        """An attempt was started in a slot, as process group ``group``.

        Args:
            ident: Its id.
            slot: Where.
            group: Its process group.
            now: Monotonic seconds of its start, which is in the past for one that is adopted.
            resources: What is reserved for it.
            marks: The environment variables that identify its processes outside that group.
            candidate: Its run, with what that is expected to need; None: not known.
        """

    def placing(self) -> AbstractContextManager[bool]:
        """See :meth:`hpsearch.backends.base.AttemptBackend.placing`."""

    def announce(self, ident: str, slot: Slot, process: Process) -> None:
        """An attempt was started right now: every other hpsearch of this host is to know it.

        Args:
            ident: Its id.
            slot: Where.
            process: Its process, or ours as long as there is none.
        """

    def knows_room(self, ident: str, now: float) -> bool:
        """Whether the room of an attempt that ended at ``now`` or before is known, or never will be; ask again."""

    def room(self, ident: str) -> Mapping[str, Any]:
        """What room an attempt had, to be asked when it has ended and before :meth:`release`.

        Returns:
            ``was_alone``: whether no other run of this search was on its GPUs while it ran, and others used little of
            them in every reading from before its start until after its end;
            ``gpu_total``: MiB of the smallest of its GPUs, or None; ``largest``: whether there are no larger ones for
            it here; ``alone_on_host``: whether no other run of this search was on this machine while it ran. What is
            not known is False. Empty for an attempt that is not held.
        """

    def problem(self, ident: str) -> str:
        """What is wrong with the GPUs of an attempt, as the driver says, in words; empty: nothing, as far as is known.

        To be asked like :meth:`room`.
        """

    def look(self, now: float) -> None:
        """Take in what has been read of the devices since (``now``: monotonic seconds)."""
        return

    def meter(self, ident: str) -> Meter | None:
        """What measures an attempt until :meth:`release`; None: it is not held."""

    def elsewhere(self, ident: str) -> Sequence[str]:
        """GPUs that an attempt uses although it was not given them, as far as they are seen."""
        return ()

    def release(self, ident: str, now: float) -> int | None:
        """An attempt ended; returns its peak GPU memory in MiB, if known."""

    def leaving(self, going: Collection[str], now: float) -> Mapping[str, str]:
        """Which attempts make room for others now: id to the reason, in words.

        Args:
            going: Attempts that were asked to end.
            now: Monotonic seconds.
        """
        return {}

    def avoid(self, gpus: Mapping[str, str]) -> None:
        """Give no slots on these GPUs, and on all others again; name to the reason, in words."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """What to show of each GPU."""

    def close(self) -> None:
        """Release the devices."""


@dataclass
class SlotLease:
    """An attempt that holds a slot, what measures it, and whether it was alone so far."""

    tenant: GpuTenant
    meter: Meter
    was_alone: bool = True
    alone_on_host: bool = True


def machine_is_closed(held: Sequence[GpuTenant], resources: ResourceRequest) -> str:
    """Why the machine as a whole gives no slot, or empty."""
    if any(tenant.alone_on_host for tenant in held):
        return HAS_THE_MACHINE
    return NEEDS_THE_MACHINE if held and resources.alone_on_host else ''


class FixedSlots(SlotSource):
    """A number of slots without GPUs.

    The number is each writer's own, so attempts of other writers do not count; they matter only for a run that ran out
    of memory, for which the machine is reserved. Since it is not known which device a run uses, one that ran out of GPU
    memory is treated likewise.

    Args:
        count: How many attempts may run at a time.
        threads: How many threads the libraries of each start; None: as many as they like.
    """

    def __init__(self, count: int, threads: int | None = None) -> None:
        self._count = count
        self._threads = threads
        self._held: dict[str, SlotLease] = {}
        self._occupancy = Occupancy()

    def placing(self) -> AbstractContextManager[bool]:
        return nullcontext(True)

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        if others:
            crowd(self._held.values())
        everybody = [*(held.tenant for held in self._held.values()), *others]
        waiting = machine_is_closed(everybody, _of_the_machine(resources))
        if waiting:
            return Placement(waiting=waiting)
        return Placement(slots=(Slot(threads=self._threads),) * (self._count - len(self._held)))

    def impossible(self, resources: ResourceRequest) -> str:
        return ''

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
        is_alone = _of_the_machine(resources).alone_on_host
        tenant = GpuTenant((), now, alone_on_host=is_alone, run=candidate.run, estimate=candidate.estimate)
        self._held[ident] = SlotLease(tenant, Meter(now, (self._occupancy,), since=self._occupancy.at))
        self._occupancy.note(now, len(self._held))
        if len(self._held) > 1:
            crowd(self._held.values())

    def announce(self, ident: str, slot: Slot, process: Process) -> None:
        """No other hpsearch has to wait for it."""

    def knows_room(self, ident: str, now: float) -> bool:
        """No device is read."""
        return True

    def room(self, ident: str) -> Mapping[str, Any]:
        """Whether it was alone; there is no larger GPU, since none is assigned."""
        held = self._held.get(ident)
        if held is None:
            return {}
        alone = held.alone_on_host
        return {'was_alone': alone, 'gpu_total': None, 'largest': True, 'alone_on_host': alone}

    def problem(self, ident: str) -> str:
        return ''

    def meter(self, ident: str) -> Meter | None:
        held = self._held.get(ident)
        return held.meter if held else None

    def release(self, ident: str, now: float) -> int | None:
        self._held.pop(ident, None)
        self._occupancy.note(now, len(self._held))
        return None

    def avoid(self, gpus: Mapping[str, str]) -> None:
        """There are none that could be avoided."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        return ()

    def close(self) -> None:
        pass


class SharedSlots(FixedSlots):
    """A number of slots on the devices that a queue gave to the job we are in.

    Several runs share a device when there are more slots than devices: that was asked for, so no thresholds apply.

    Args:
        count: How many attempts may run at a time.
        devices: What ``CUDA_VISIBLE_DEVICES`` says, entry by entry; empty: it is not set.
        per_run: Devices for each attempt.
        threads: As for :class:`FixedSlots`, where there are no devices.
    """

    def __init__(self, count: int, devices: Sequence[str], per_run: int = 1, threads: int | None = None) -> None:
        super().__init__(count, None if devices else threads)
        self._devices = tuple(devices)
        self._per_run = per_run
        self._most = math.ceil(count * per_run / max(1, len(devices)))
        self._avoided: Mapping[str, str] = {}

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """As many as are free, on the devices with the fewest attempts."""
        placement = super().open_slots(now, others, resources)
        if len(self._devices) <= self._per_run:
            return placement  # all there is: what the queue set is inherited untouched
        used = Counter(device for held in self._held.values() for device in held.tenant.gpus)
        slots = (self._next(used) for _ in placement.slots)
        return replace(placement, slots=tuple(slot for slot in slots if slot is not None), closed=self._avoided)

    def _next(self, used: Counter[str]) -> Slot | None:
        """The next slot; None: what is left without the devices that are avoided has as many attempts as it should."""
        usable = [device for device in self._devices if device not in self._avoided]
        if self._avoided:
            usable = [device for device in usable if used[device] < self._most]
        if len(usable) < self._per_run:
            return None
        chosen = sorted(sorted(usable, key=lambda device: used[device])[: self._per_run], key=self._devices.index)
        used.update(chosen)
        return Slot(tuple(chosen), ','.join(chosen))

    def avoid(self, gpus: Mapping[str, str]) -> None:
        self._avoided = gpus

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
        super().acquire(ident, slot, group, now, resources, marks, candidate)
        held = self._held[ident]
        held.tenant = replace(held.tenant, gpus=slot.gpus)


class TimeLimit:
    """Ends the starting of runs inside a job of a queue, when the job would end before another run does.

    Args:
        ends_at: When the job ends, in monotonic seconds.
        durations: How long runs of this search took, in seconds.
        margin: Seconds before the end of the job in which nothing may run any more.
        is_ours: Whether hpsearch has been in the job from its beginning, so that no other one gives more time.
    """

    def __init__(
        self, ends_at: float, durations: Callable[[], Sequence[float]], margin: float, *, is_ours: bool = False
    ) -> None:
        self._ends_at = ends_at
        self._durations = durations
        self._margin = margin
        self._is_fresh = is_ours
        self._next_check = float('-inf')
        self._why = ''

    def note_start(self) -> None:
        """A run was started."""
        if self._is_fresh:
            self._is_fresh, self._next_check = False, float('-inf')

    def why_over(self, now: float) -> str:
        """Why there is no time for another run, in words, from then on; empty: there is."""
        if not self._why and now >= self._next_check:
            durations = self._durations()
            self._why = why_no_more(self._ends_at - now, durations, margin=self._margin, is_fresh=self._is_fresh)
            self._next_check = min(now + TIME_CHECK_INTERVAL, self._last_start(durations))
        return self._why

    def _last_start(self, durations: Sequence[float]) -> float:
        """When there is just enough time for a run that takes as long as those so far."""
        return self._ends_at - self._margin - (expected_seconds(durations) or 0.0)


def _of_the_machine(resources: ResourceRequest) -> ResourceRequest:
    return replace(resources, alone_on_host=resources.alone or resources.alone_on_host)


def crowd(held: Iterable[SlotLease]) -> None:
    """None of these is alone on this machine any more."""
    for each in held:
        each.alone_on_host = False
