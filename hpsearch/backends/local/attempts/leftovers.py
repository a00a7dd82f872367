"""What ended attempts left behind: it is asked to end, and killed after a while."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.backends.local.attempts.living import living_of, marked, oldest_first
from hpsearch.backends.local.attempts.process import AttemptProcess
from hpsearch.host.processes import Process, has_group, is_alive, send_signal
from hpsearch.store.folder import SearchFolder

GRACE = 10.0
"""Seconds between TERM and KILL for processes that an ended attempt left behind."""

SWEEP_SHARE = 0.01
"""Share of the time that may go into the search for processes that left their group."""


@dataclass(frozen=True, slots=True)
class _Leftover:
    """A process that an ended attempt left behind, that was asked to end, and that is killed at a time."""

    process: Process
    kill_at: float

    @property
    def is_alive(self) -> bool:
        return is_alive(self.process.pid, self.process.ticks)


class Leftovers:
    """Stops what attempts left behind that have ended."""

    def __init__(self, folder: SearchFolder) -> None:
        self._folder = folder
        self._leftovers: list[_Leftover] = []
        self._ended_keys: set[tuple[str, str]] = set()
        self._next_sweep = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether there is something to be looked after."""
        return bool(self._leftovers or self._ended_keys)

    def end_of(self, process: AttemptProcess, now: float) -> str:
        """Stop what an attempt left behind; returns that there was something, in words, or nothing."""
        self._ended_keys.add(process.key)
        left = living_of(self._folder, [process]) if has_group(process.pid) else []
        self._end(left, now)
        return 'it left processes behind, which were stopped' if left else ''

    def tend(self, now: float) -> None:
        """Kill what has not ended in time, and look for what is hidden; ``now``: monotonic seconds."""
        for leftover in self._leftovers:
            if now >= leftover.kill_at:
                send_signal(leftover.process, signal.SIGKILL)
        self._leftovers = [left for left in self._leftovers if now < left.kill_at and left.is_alive]
        if self._ended_keys and now >= self._next_sweep:
            self._sweep(now)

    def close(self) -> None:
        """Ask what is still hidden to end, and kill what was asked before."""
        for process in oldest_first(marked(self._folder, self._ended_keys) if self._ended_keys else ()):
            send_signal(process, signal.SIGTERM)
        for leftover in self._leftovers:
            send_signal(leftover.process, signal.SIGKILL)

    def _end(self, left: Sequence[Process], now: float) -> None:
        for process in oldest_first(left):
            send_signal(process, signal.SIGTERM)
        self._leftovers.extend(_Leftover(process, now + GRACE) for process in left)

    def _sweep(self, now: float) -> None:
        """Stop what ended attempts left behind outside their process group.

        The search for it is done in batches, since it goes through every process of the machine.
        """
        begin = os.times().elapsed
        self._end(marked(self._folder, self._ended_keys), now)
        self._ended_keys.clear()
        self._next_sweep = now + max(1.0, (os.times().elapsed - begin) / SWEEP_SHARE)
