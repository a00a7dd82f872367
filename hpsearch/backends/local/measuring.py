"""Measures the attempts that run here, rarely enough that it costs them nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from hpsearch.backends.local.slots import SlotSource
from hpsearch.host.processes import Reaped
from hpsearch.host.usage import HostUse, shared_once, uses_of
from hpsearch.model.usage.in_use import NOTHING_USED, RunUse
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured

SHORTEST_INTERVAL = 1.0
"""Seconds between two looks at the processes of this host, at least."""

LOOK_SHARE = 0.005
"""The largest share (0-1) of a processor that these looks may take."""

SHORTEST_PAGES_INTERVAL = 10.0
"""Seconds between two looks at the pages that the processes of an attempt share, at least."""

PAGES_SHARE = 0.002
"""The same share for these."""

MUCH_SHARED = 256
"""MiB of all processes of an attempt but the largest, from which on it matters what they share."""


class HostWatch:
    """Looks at what attempts use of this host.

    Memory is what is resident, which costs little to read. Workers that load data are forks that share most of theirs,
    which would count for each of them. So where an attempt has several large processes, it is looked up from time to
    time how much of it is shared, and what is resident is taken as that much less until then.

    Args:
        cost: A clock of the time of a processor that this thread has used, in seconds.
    """

    def __init__(self, cost: Callable[[], float] = time.thread_time) -> None:
        self._cost = cost
        self._next = self._next_pages = -math.inf
        self._ratios: dict[int, float] = {}  # in the order in which the attempts were looked at

    def look(self, leaders: Mapping[int, str], now: float) -> dict[str, tuple[int | None, float]]:
        """What each attempt uses, where it is time for that; else nothing.

        Args:
            leaders: The process that leads the session of each attempt, to its id.
            now: Monotonic seconds.

        Returns:
            MiB in memory (None: not known yet), and seconds of processors since its start.
        """
        if not leaders or now < self._next:
            return {}
        begin = self._cost()
        uses = uses_of(leaders)
        self._next = now + max(SHORTEST_INTERVAL, (self._cost() - begin) / LOOK_SHARE)
        self._look_at_pages(uses, now)
        return {leaders[leader]: (self._memory(leader, use), use.cpu_seconds) for leader, use in uses.items()}

    def _look_at_pages(self, uses: Mapping[int, HostUse], now: float) -> None:
        """Look at those of one attempt, the one seen longest ago: the kernel may take long, and the loop waits."""
        self._ratios = {leader: ratio for leader, ratio in self._ratios.items() if leader in uses}
        wanted = [leader for leader, use in uses.items() if shares_much(use)]
        if not wanted or now < self._next_pages:
            return
        begin, order = self._cost(), list(self._ratios)
        leader = min(wanted, key=lambda each: order.index(each) if each in order else -1)
        resident, once = sum(uses[leader].resident), shared_once(uses[leader].pids)
        self._ratios.pop(leader, None)
        self._ratios[leader] = 1.0 if once is None else min(1.0, once / resident)
        cost = self._cost() - begin
        self._next_pages = now + max(SHORTEST_PAGES_INTERVAL / len(wanted), cost / PAGES_SHARE)

    def _memory(self, leader: int, use: HostUse) -> int | None:
        """MiB; None: it is not known yet how much of it counts twice."""
        resident = sum(use.resident)
        if not shares_much(use):
            return resident
        return int(resident * self._ratios[leader]) if leader in self._ratios else None


def shares_much(use: HostUse) -> bool:
    """Whether it matters what the processes of an attempt share."""
    return sum(use.resident) - max(use.resident, default=0) >= MUCH_SHARED


class Measuring:
    """What each attempt that runs here has used so far.

    Args:
        slots: Keeps the meters of the attempts, and reads GPUs.
    """

    def __init__(self, slots: SlotSource, host: HostWatch | None = None) -> None:
        self._slots = slots
        self._host = host or HostWatch()
        self._latest: dict[str, Measured] = {}

    def look(self, leaders: Mapping[int, str], now: float) -> None:
        """Look at what is due.

        Args:
            leaders: The process that leads the session of each attempt, to its id.
            now: Monotonic seconds.
        """
        self._slots.look(now)
        for ident, (memory, cpu_seconds) in self._host.look(leaders, now).items():
            meter = self._slots.meter(ident)
            if meter is not None:
                meter.host.note(now, memory, cpu_seconds)
                self._latest[ident] = meter.measured(now)

    def so_far(self, ident: str) -> Measured:
        """What an attempt had used when it was looked at last."""
        return self._latest.get(ident, NOTHING_MEASURED)

    def now(self, ident: str, now: float) -> RunUse:
        """What an attempt uses now (monotonic seconds)."""
        meter = self._slots.meter(ident)
        if meter is None:
            return NOTHING_USED
        elsewhere = tuple(self._slots.elsewhere(ident))
        return RunUse(meter.gpu.memory, meter.gpu.is_settled, meter.measured(now), elsewhere)

    def end(self, ident: str, used: Reaped | None, ended: float, seconds: float | None) -> Measured:
        """What an attempt has used until its end; to be asked before its slot is released.

        Args:
            ident: Its id.
            used: What the system says of the process that led its session; None: that was no child of ours.
            ended: When its end was seen, in monotonic seconds.
            seconds: How long it ran, where its end was seen late.
        """
        self._latest.pop(ident, None)
        self._slots.look(ended)
        meter = self._slots.meter(ident)
        if meter is None:
            return NOTHING_MEASURED
        at = ended if seconds is None else min(ended, meter.started + seconds)
        if used is not None:
            meter.host.note(at, used.largest, used.cpu_seconds)
        return meter.measured(at)

    def forget(self, ident: str) -> None:
        """Another writer looks after an attempt now."""
        self._latest.pop(ident, None)
