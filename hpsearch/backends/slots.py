"""Where slots on this machine come from: a fixed number, or GPUs that placement finds open."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hpsearch.gpus import GpuMonitor
from hpsearch.placement import place, predict_need
from hpsearch.records import Gpu, GpuLine, GpuPolicy, Occupant, Placement, Reading, Slot


class SlotSource(Protocol):
    """Gives slots for attempts that are known by their ids."""

    def open_slots(self, now: float, *, others: Sequence[Occupant] = ()) -> Placement:
        """Free slots and why the others are closed."""

    def taken(self, ident: str, slot: Slot, group: int, now: float) -> None:
        """An attempt was started in a slot, as process group ``group``."""

    def freed(self, ident: str, now: float) -> int | None:
        """That attempt ended; its peak GPU memory in MiB, if known."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """What to show of each GPU."""

    def close(self) -> None:
        """Let go of the devices."""


class FixedSlots:
    """A number of slots without GPUs.

    Args:
        count: How many attempts may run at a time.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[str] = set()

    def open_slots(self, now: float, *, others: Sequence[Occupant] = ()) -> Placement:
        """As many as are not taken."""
        return Placement(slots=(Slot(),) * (self._count - len(self._taken)))

    def taken(self, ident: str, slot: Slot, group: int, now: float) -> None:
        """Count one in."""
        self._taken.add(ident)

    def freed(self, ident: str, now: float) -> int | None:
        """Count one out."""
        self._taken.discard(ident)
        return None

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """None: no GPU is assigned."""
        return ()

    def close(self) -> None:
        """Nothing is held."""


class GpuSlots:
    """Slots on the GPUs of this machine, by the rules of :mod:`hpsearch.placement`.

    Args:
        monitor: Readings of the GPUs.
        gpus: Those that may be used.
        policy: The thresholds.
    """

    def __init__(self, monitor: GpuMonitor, gpus: Sequence[Gpu], policy: GpuPolicy) -> None:
        self._monitor = monitor
        self._gpus = gpus
        self._policy = policy
        self._occupants: dict[str, Occupant] = {}
        self._groups: dict[int, str] = {}
        self._freed: dict[str, float] = {}
        self._starts: dict[str, float] = {}
        self._peaks: dict[str, int] = {}
        self._ended_peaks: list[int] = []

    def open_slots(self, now: float, *, others: Sequence[Occupant] = ()) -> Placement:
        """What placement says of the latest readings."""
        self._measure()
        need = predict_need(self._ended_peaks)
        return place(
            self._gpus,
            self._monitor.readings(),
            [_per_gpu(occupant, is_told=need is not None) for occupant in self._occupants.values()],
            self._policy,
            now,
            need=need,
            freed=self._freed,
            starts=self._starts,
        )

    def taken(self, ident: str, slot: Slot, group: int, now: float) -> None:
        """The GPUs of the slot have one more of our runs."""
        self._occupants[ident] = Occupant(slot.gpus, now)
        self._starts.update(dict.fromkeys(slot.gpus, now))
        self._groups[group] = ident

    def freed(self, ident: str, now: float) -> int | None:
        """The GPUs are read anew at once, so that the next run need not wait for a poll."""
        occupant = self._occupants.pop(ident, None)
        self._groups = {group: owner for group, owner in self._groups.items() if owner != ident}
        if occupant is not None:
            self._freed.update(dict.fromkeys(occupant.gpus, now))
            self._monitor.refresh(occupant.gpus)
        peak = self._peaks.pop(ident, None)
        if peak is not None and occupant is not None:
            self._ended_peaks.append(peak // len(occupant.gpus))
        return peak

    def _measure(self) -> None:
        """Learn what each of our attempts has in use, from the processes the driver lists."""
        latest = {name: readings[-1] for name, readings in self._monitor.readings().items() if readings}
        for ident, memory in memory_by_owner(latest, self._owner_of).items():
            occupant = self._occupants[ident]
            self._occupants[ident] = Occupant(occupant.gpus, occupant.started, memory)
            self._peaks[ident] = max(memory, self._peaks.get(ident, 0))

    def _owner_of(self, pid: int) -> str | None:
        try:
            return self._groups.get(os.getpgid(pid))
        except (ProcessLookupError, PermissionError):
            return None

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """The latest reading of each GPU beside why it is closed."""
        closed = self.open_slots(now).closed
        readings = self._monitor.readings()
        return tuple(self._line(gpu, readings.get(gpu.name, ()), closed.get(gpu.name, '')) for gpu in self._gpus)

    def _line(self, gpu: Gpu, readings: Sequence[Reading], closed: str) -> GpuLine:
        last = readings[-1] if readings else Reading(at=0.0)
        own = [occupant for occupant in self._occupants.values() if gpu.name in occupant.gpus]
        known = [occupant.memory // len(occupant.gpus) for occupant in own if occupant.memory is not None]
        others = None
        if last.memory_used is not None and len(known) == len(own):
            others = max(0, last.memory_used - sum(known))
        return GpuLine(gpu.name, gpu.model, last.load, last.memory_used, last.memory_total, len(own), others, closed)

    def close(self) -> None:
        """Stop reading the GPUs."""
        self._monitor.close()


def _per_gpu(occupant: Occupant, *, is_told: bool) -> Occupant:
    """An occupant with its memory per GPU; one that has not touched its GPU yet uses none, where that can be told."""
    memory = occupant.memory if occupant.memory is not None or not is_told else 0
    return Occupant(occupant.gpus, occupant.started, None if memory is None else memory // len(occupant.gpus))


def memory_by_owner(latest: Mapping[str, Reading], owner_of: Callable[[int], str | None]) -> dict[str, int]:
    """MiB in use per attempt, summed over its processes on all GPUs.

    Args:
        latest: GPU name to its latest reading.
        owner_of: Tells the attempt a process belongs to, or None.
    """
    found: dict[str, int] = {}
    for reading in latest.values():
        for process in reading.processes or ():
            owner = owner_of(process.pid)
            if owner is not None and process.memory is not None:
                found[owner] = found.get(owner, 0) + process.memory
    return found
