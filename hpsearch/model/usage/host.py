"""What a machine has for runs beside GPUs: memory and cores."""

from __future__ import annotations

from dataclasses import dataclass


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
