"""Whether this machine as a whole gets more runs now: by the hours, and by what is left of its memory and cores."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from hpsearch.host.machine.reading import Machine
from hpsearch.model.usage.host import HostReading
from hpsearch.packing.neighbours.hours import why_outside
from hpsearch.packing.neighbours.machine import WINDOW, why_no_room
from hpsearch.packing.neighbours.policy import NeighbourPolicy

READ_EVERY = 0.5
"""Seconds between two readings of this machine, at least."""


def local_minute() -> float:
    """The minute of the week it is, in local time, counted from the beginning of Monday."""
    local = time.localtime()
    return local.tm_wday * 24 * 60 + local.tm_hour * 60 + local.tm_min + local.tm_sec / 60


class MachineGate:
    """Says why this machine gets no more runs.

    Args:
        policy: What is left to others.
        minute: The minute of the week it is.
        read: Reads the machine, at a time in monotonic seconds.
    """

    def __init__(
        self,
        policy: NeighbourPolicy,
        minute: Callable[[], float] = local_minute,
        read: Callable[[float], HostReading] | None = None,
    ) -> None:
        self._policy = policy
        self._minute, self._read = minute, read or Machine().read
        self._readings: deque[HostReading] = deque()
        self._last_start = -math.inf

    @property
    def opens_for_one(self) -> bool:
        """Whether one run is started at a time, so that it is seen what is left beside it."""
        return bool(self._policy.machine)

    def look(self, now: float) -> None:
        """Look at the machine, if anybody wants to know; called in every round."""
        is_due = not self._readings or now - self._readings[-1].at >= READ_EVERY
        if not (self._policy.machine and is_due):
            return
        self._readings.append(self._read(now))
        while self._readings[0].at < now - WINDOW:
            self._readings.popleft()

    def note_start(self, now: float) -> None:
        """A run was started."""
        self._last_start = now

    def why_leave(self) -> str:
        """Why all runs make room now, in words, where that is asked for; empty: they need not."""
        hours = self._policy.hours
        return why_outside(hours, self._minute()) if hours is not None and self._policy.yields else ''

    def why_closed(self, now: float) -> str:
        """Why no run is started now, in words; empty: the slots decide."""
        if self._policy.hours is not None and (why := why_outside(self._policy.hours, self._minute())):
            return why
        self.look(now)
        machine = self._policy.machine
        return why_no_room(self._readings, machine, now, self._last_start) if machine else ''
