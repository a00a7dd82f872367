"""Slots on a machine without GPUs, by what runs take of its cores and its memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hpsearch.backends.local.slots import NO_MARKS, FixedSlots, SlotLease, crowd
from hpsearch.host.machine.reading import Machine
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, ResourceRequest, Slot
from hpsearch.model.usage.host import ALL, Allotted, HostReading
from hpsearch.packing.box import Candidate, Packing
from hpsearch.packing.cpu import pack_on_cores
from hpsearch.packing.host_room import HostTenant


class CpuSlots(FixedSlots):
    """As many slots as there are cores and memory for, by the rules of :mod:`hpsearch.packing.cpu`.

    Args:
        allotted: What of the machine may be used; also an attribute.
        read: Reads what the machine has, at a time in monotonic seconds.
    """

    def __init__(self, allotted: Allotted = ALL, read: Callable[[float], HostReading] | None = None) -> None:
        super().__init__(0)
        self.allotted = allotted
        self._read = read or Machine().read
        self._ended = 0

    @property
    def packs(self) -> bool:
        return True

    def pack(self, now: float, candidates: Sequence[Candidate], others: Sequence[GpuTenant] = ()) -> Packing:
        if others:
            crowd(self._held.values())
        tenants = [host_tenant(held, now) for held in self._held.values()]
        tenants += [_of_a_peer(tenant, now) for tenant in others]
        memory, cores = sum(each.memory or 0 for each in tenants), sum(each.cpu or 0.0 for each in tenants)
        reading = self.allotted.within(self._read(now), memory, cores)
        return pack_on_cores(reading, tenants, candidates, ended=self._ended)

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
        if candidate is not None:
            held = self._held[ident]
            held.tenant = replace(held.tenant, run=candidate.run, estimate=candidate.estimate)

    def release(self, ident: str, now: float) -> int | None:
        self._ended += ident in self._held
        return super().release(ident, now)


def host_tenant(held: SlotLease, now: float) -> HostTenant:
    """What an attempt of ours takes of this machine (``now``: monotonic seconds)."""
    host = held.meter.host
    return replace(_of_a_peer(held.tenant, now), memory=host.memory, cpu=host.cpu)


def _of_a_peer(tenant: GpuTenant, now: float) -> HostTenant:
    """An attempt of which only is known what it was expected to take."""
    return HostTenant(tenant.estimate, age=max(0.0, now - tenant.started), alone_on_host=tenant.alone_on_host)
