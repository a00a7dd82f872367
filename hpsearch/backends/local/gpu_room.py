"""How much of the memory of GPUs attempts use and could use, as readings show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpsearch.host.processes import group_of
from hpsearch.model.placement import free_memory
from hpsearch.model.resources import GpuTenant, Reading

Readings = Mapping[str, Sequence[Reading]]


def memory_of_group(group: int, reading: Reading) -> int:
    """MiB that a reading shows of the processes of a group, as far as these can be recognised."""
    return sum(one.memory or 0 for one in reading.processes or () if group_of(one.pid) == group)


def with_memory(tenant: GpuTenant, readings: Readings) -> GpuTenant:
    """An attempt of another writer with the memory that it uses of each of its GPUs.

    In most containers the driver lists no processes, or under other pids: then it stays unknown.

    Args:
        tenant: The attempt, with its process group.
        readings: Of the GPUs, oldest first.
    """
    latest = [readings[gpu][-1] for gpu in tenant.gpus if readings.get(gpu)]
    if not tenant.group or len(latest) < len(tenant.gpus) or not all(map(_names_its_processes, latest)):
        return tenant
    return replace(tenant, memory=max((memory_of_group(tenant.group, each) for each in latest), default=0))


def _names_its_processes(reading: Reading) -> bool:
    return reading.processes is not None and all(
        process.memory is not None and group_of(process.pid) is not None for process in reading.processes
    )


class RoomLeft:
    """How much of each of its GPUs an attempt could use while it ran."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def note(self, gpu: str, reading: Reading, own: int) -> None:
        """A reading of one of its GPUs, of which it uses ``own`` MiB."""
        if reading.memory_total and reading.memory_used is not None:
            self._last[gpu] = free_memory(reading) + own

    def at_its_end(self, latest: Mapping[str, Reading], ended: float) -> int | None:
        """MiB that it had of each of its GPUs when it ran out of them, at most; None: not known.

        What others take or give back between two readings cannot be seen: the smallest of the last reading before its
        end and the first after counts.

        Args:
            latest: The latest reading of each of its GPUs.
            ended: When it was seen to have ended, by the clock of the readings.
        """
        after = {gpu: free_memory(one) for gpu, one in latest.items() if one.at >= ended and one.memory_total}
        known = [*self._last.values(), *after.values()]
        return min(known, default=None)
