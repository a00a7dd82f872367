"""What a machine has for runs beside GPUs: memory and cores."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class HostReading:
    """One reading of what this process may use of its machine: less where its container or job has limits.

    Attributes:
        at: When, in monotonic seconds.
        memory_total: MiB of memory; None, here and below: it could not be read.
        memory_free: MiB of it that can still be taken; what the kernel caches can.
        cores: How many cores may be kept busy.
        busy: How many of them are, by runs and by everybody else, as a mean over the last moments.
    """

    at: float
    memory_total: int | None = None
    memory_free: int | None = None
    cores: float = 1.0
    busy: float | None = None


@dataclass(frozen=True, slots=True)
class Allotted:
    """What a queue gave to a job of its machine, which nothing may enforce.

    Attributes:
        cores: How many cores; None: all.
        memory: MiB of memory; None: all.
    """

    cores: float | None = None
    memory: int | None = None

    def within(self, reading: HostReading, used_memory: int, used_cores: float) -> HostReading:
        """What a reading of the machine leaves to the job.

        Args:
            reading: Of the machine.
            used_memory: MiB that the runs of the job use.
            used_cores: Cores that they keep busy.
        """
        total, free, cores, busy = reading.memory_total, reading.memory_free, reading.cores, reading.busy
        if self.memory is not None and total is not None and self.memory < total:
            total, free = self.memory, min(free or 0, max(0, self.memory - used_memory))
        if self.cores is not None and self.cores < cores:
            idle = None if busy is None else cores - busy
            cores = self.cores
            busy = used_cores if idle is None else max(min(used_cores, cores), cores - idle)
        return replace(reading, memory_total=total, memory_free=free, cores=cores, busy=busy)


ALL = Allotted()
