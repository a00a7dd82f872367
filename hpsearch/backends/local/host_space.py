"""What this machine has for runs, or what a queue gave of it to the job of this process, and what runs take of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hpsearch.backends.local.slots import SlotLease
from hpsearch.host.machine.reading import Machine
from hpsearch.model.resources import GpuTenant, OtherStart
from hpsearch.model.usage.host import ALL, Allotted, HostReading
from hpsearch.packing.host_room import HostTenant, with_starts


class HostSpace:
    """The memory and the cores for runs.

    Args:
        allotted: What of the machine may be used.
        read: Reads what the machine has, at a time in monotonic seconds.
    """

    def __init__(self, allotted: Allotted = ALL, read: Callable[[float], HostReading] | None = None) -> None:
        self._allotted = allotted
        self._read = read or Machine().read

    def reading(self, tenants: Sequence[HostTenant], now: float, starts: Sequence[OtherStart] = ()) -> HostReading:
        """What there is for runs.

        Args:
            tenants: The runs of this search that are here.
            now: Monotonic seconds.
            starts: Runs that other hpsearch have just started, each with what it will take beyond what it uses.
        """
        memory, cores = sum(each.memory or 0 for each in tenants), sum(each.cpu or 0.0 for each in tenants)
        return self._allotted.within(with_starts(self._read(now), starts), memory, cores)


def host_tenants(held: Iterable[SlotLease], others: Iterable[GpuTenant], now: float) -> list[HostTenant]:
    """What attempts take of this machine: ours, and those of other writers of this search.

    Args:
        held: Ours.
        others: Those of others, of which only is known what they were expected to take.
        now: Monotonic seconds.
    """
    ours = [(_expected(each.tenant, now), each.meter.host) for each in held]
    measured = (replace(tenant, memory=host.memory, cpu=host.cpu) for tenant, host in ours)
    return [*measured, *(_expected(tenant, now) for tenant in others)]


def _expected(tenant: GpuTenant, now: float) -> HostTenant:
    return HostTenant(tenant.estimate, age=max(0.0, now - tenant.started), alone_on_host=tenant.alone_on_host)
