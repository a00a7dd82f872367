"""Slots on a machine without GPUs, by what runs take of its cores and its memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from hpsearch.backends.local.host_space import HostSpace, host_tenants
from hpsearch.backends.local.slots import FixedSlots, crowd
from hpsearch.host.gpu.starts import GpuStarts
from hpsearch.host.processes import Process
from hpsearch.host.usage import HostUse, uses_of
from hpsearch.model.resources import GpuTenant, OtherStart, Slot
from hpsearch.model.usage.host import ALL, Allotted, HostReading
from hpsearch.packing.box import UNDECIDED, Candidate, Packing
from hpsearch.packing.cpu import pack_on_cores
from hpsearch.packing.host_room import SETTLED_AFTER
from hpsearch.packing.throughput import NOTHING_LEARNED, Sharing


class CpuSlots(FixedSlots):
    """As many slots as there are cores and memory for, by the rules of :mod:`hpsearch.packing.cpu`.

    Args:
        allotted: What of the machine may be used; also an attribute.
        read: Reads what the machine has, at a time in monotonic seconds.
        starts: The runs that others start here, and ours for them; None: what we use is ours alone.
    """

    def __init__(
        self,
        allotted: Allotted = ALL,
        read: Callable[[float], HostReading] | None = None,
        starts: GpuStarts | None = None,
    ) -> None:
        super().__init__(0)
        self.allotted = allotted
        self._starts = starts
        self._space = HostSpace(allotted, read)
        self._ended = 0
        self._grew = -math.inf

    def placing(self) -> AbstractContextManager[bool]:
        return super().placing() if self._starts is None else self._starts.lock()

    def announce(self, ident: str, slot: Slot, process: Process) -> None:
        held = self._held.get(ident)
        if self._starts is not None and held is not None:
            self._starts.note(ident, (), process, SETTLED_AFTER, held.tenant.estimate)

    @property
    def packs(self) -> bool:
        return True

    def pack(
        self,
        now: float,
        candidates: Sequence[Candidate],
        others: Sequence[GpuTenant] = (),
        sharing: Sharing = NOTHING_LEARNED,
    ) -> Packing:
        if others:
            crowd(self._held.values())
        if any(candidate.run == UNDECIDED for candidate in candidates):
            self._grew = now  # when that run has been chosen, it is asked again in this round, without the next
        tenants = host_tenants(self._held.values(), others, now)
        reading, may_grow = self._space.reading(tenants, now, self._other_starts(now)), self._grew == now
        return pack_on_cores(reading, tenants, candidates, ended=self._ended, may_grow=may_grow)

    def _other_starts(self, now: float) -> list[OtherStart]:
        """What others have started, with what of it cannot be seen yet; what we use by now can be."""
        if self._starts is None:
            return []
        starts = [start for start in self._starts.others() if start.host_memory or start.cpu]
        uses = uses_of([start.pid for start in starts if start.pid is not None]) if starts else {}
        return [still_to_take(start, uses.get(start.pid or 0, HostUse()), now) for start in starts]

    def release(self, ident: str, now: float) -> int | None:
        self._ended += ident in self._held
        if self._starts is not None:
            self._starts.forget(ident)
        return super().release(ident, now)


def still_to_take(start: OtherStart, use: HostUse, now: float) -> OtherStart:
    """The start of another hpsearch with what its run will take of the host beyond what it uses at ``now``."""
    memory, cpu = start.host_memory, start.cpu
    cores = use.cpu_seconds / max(1.0, now - start.at)
    return replace(
        start,
        host_memory=None if memory is None else max(0, memory - sum(use.resident)),
        cpu=None if cpu is None else max(0.0, cpu - cores),
    )
