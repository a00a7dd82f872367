"""Slots inside a job of a queue: none any more when the job ends before another run would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpsearch.backends.local.slots import SlotSource
from hpsearch.model.resources import GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.snapshot import GpuLine
from hpsearch.model.time_limit import why_no_more

LOOK_INTERVAL = 5.0
"""Seconds between two looks at how long runs take."""


class WallTimeSlots:
    """The slots of another source, as long as there is time.

    Args:
        slots: The other source.
        ends_at: When the job ends, in monotonic seconds.
        durations: How long runs of this search took, in seconds.
        margin: Seconds before the end of the job in which nothing may run any more.
    """

    def __init__(
        self, slots: SlotSource, ends_at: float, durations: Callable[[], Sequence[float]], margin: float
    ) -> None:
        self._slots = slots
        self._ends_at = ends_at
        self._durations = durations
        self._margin = margin
        self._next_look = float('-inf')
        self._why = ''

    def open_slots(
        self, now: float, *, others: Sequence[GpuTenant] = (), resources: ResourceRequest | None = None
    ) -> Placement:
        """What the other source has, or the reason why there is no time."""
        if not self._why and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            self._why = why_no_more(self._ends_at - now, self._durations(), margin=self._margin)
        if self._why:
            return Placement(waiting=self._why, is_final=True)
        return self._slots.open_slots(now, others=others, resources=resources)

    def impossible(self, resources: ResourceRequest) -> str:
        """What the other source says."""
        return self._slots.impossible(resources)

    def acquire(
        self, ident: str, slot: Slot, group: int, now: float, *, exclusive: bool = False, alone_on_host: bool = False
    ) -> None:
        """Told to the other source."""
        self._slots.acquire(ident, slot, group, now, exclusive=exclusive, alone_on_host=alone_on_host)

    def room(self, ident: str) -> Mapping[str, Any]:
        """What the other source says."""
        return self._slots.room(ident)

    def release(self, ident: str, now: float) -> int | None:
        """Told to the other source."""
        return self._slots.release(ident, now)

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """What the other source shows."""
        return self._slots.gpu_lines(now)

    def close(self) -> None:
        """Close the other source."""
        self._slots.close()
