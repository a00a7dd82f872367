"""How much of the memory of GPUs attempts use and could use, as readings show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hpsearch.host.processes import group_of
from hpsearch.model.placement import free_memory, small_use
from hpsearch.model.resources import GpuTenant, OtherStart, Reading, Readings


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


def is_small(used: int | None, reading: Reading) -> bool:
    """Whether this much of a GPU is what others may use of it; False when it is not known."""
    return used is not None and reading.memory_total is not None and used <= small_use(reading)


def others_use_little(reading: Reading, is_own: Callable[[int], bool], ended: float | None = None) -> bool:
    """Whether others use little of a GPU beside an attempt, as far as a reading shows it.

    In most containers the driver lists no processes, or under other pids, and a process may end before it is looked
    up. So while the attempt runs, all that is not its own counts only where its own use is certain; otherwise what is
    listed of others counts, which may be less than there is. After its end, all that is in use belongs to others.

    Args:
        reading: One reading of the GPU, taken after the attempt was started.
        is_own: Whether a process belongs to the attempt.
        ended: When the attempt ended, by the clock of the reading; None: it runs.
    """
    processes = reading.processes or ()
    own = [process for process in processes if is_own(process.pid)]
    theirs = [process for process in processes if process not in own and group_of(process.pid) is not None]
    used = sum(process.memory or 0 for process in own)
    is_over = ended is not None and reading.at >= ended
    is_certain = used and all(process.memory is not None for process in own) and len(own + theirs) == len(processes)
    if is_over or (is_certain and reading.memory_used is not None):
        return is_small(None if reading.memory_used is None else reading.memory_used - used, reading)
    listed = sum(process.memory or 0 for process in theirs)
    return not listed or is_small(listed, reading)


def per_gpu(tenant: GpuTenant, *, is_known: bool) -> GpuTenant:
    """A tenant with its memory per GPU; one that has not touched its GPU yet uses none, where that is known."""
    memory = tenant.memory if tenant.memory is not None or not is_known else 0
    return replace(tenant, memory=None if memory is None or not tenant.gpus else memory // len(tenant.gpus))


def still_to_come(start: OtherStart, latest: Mapping[str, Reading]) -> OtherStart:
    """The start of another hpsearch with the memory that its run will take beyond what readings show.

    Args:
        start: With all the memory that the run is expected to take on each of its GPUs.
        latest: UUID of a GPU to its latest reading.
    """
    if start.memory is None or start.pid is None or not start.gpus:
        return start
    shown = [memory_of_group(start.pid, latest[gpu]) if gpu in latest else 0 for gpu in start.gpus]
    return replace(start, memory=max(0, start.memory - min(shown)))


def memory_by_owner(latest: Mapping[str, Reading], owner_of: Callable[[int], str | None]) -> dict[str, int]:
    """MiB in use per attempt, summed over its processes on all GPUs.

    Args:
        latest: GPU name to its latest reading.
        owner_of: Process id to the attempt that the process belongs to, or None.
    """
    found: dict[str, int] = {}
    for reading in latest.values():
        for process in reading.processes or ():
            owner = owner_of(process.pid)
            if owner is not None and process.memory is not None:
                found[owner] = found.get(owner, 0) + process.memory
    return found


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
