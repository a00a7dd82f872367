"""Reads the GPUs periodically, each in a thread of its own."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from hpsearch.host.gpu.source import GpuSource
from hpsearch.host.processes import start_thread
from hpsearch.model.resources import Gpu, Reading

HURRY_FOR = 2.0
"""Seconds of frequent readings after a run ended: a load is an average and takes up to a second to fall."""

HURRIED_INTERVAL = 0.25
"""Seconds between such readings, at most."""


RARE_INTERVAL = 10.0
"""Seconds between two readings of a GPU that may not be used."""


@dataclass
class _Watched:
    """The readings of one GPU, and when the next one is due."""

    interval: float
    readings: deque[Reading] = field(default_factory=deque)
    wake: threading.Event = field(default_factory=threading.Event)
    hurry_until: float = -math.inf


class GpuMonitor:
    """Keeps readings of every GPU; a GPU that hangs makes only its own readings stale.

    Args:
        source: Reads one GPU.
        gpus: The GPUs to watch.
        interval: Seconds between two readings of a GPU.
        on_reading: Called after each new reading, in the thread that took it, until :meth:`close` has returned; must
            be quick.
        clock: The monotonic clock that readings are stamped with, before they are taken.
        window: Seconds for which readings are kept; the newest is kept in any case.
        elsewhere: Other GPUs, that are read rarely: only to see who is there.
    """

    def __init__(
        self,
        source: GpuSource,
        gpus: Iterable[Gpu],
        *,
        interval: float,
        on_reading: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        window: float = 10.0,
        elsewhere: Iterable[Gpu] = (),
    ) -> None:
        self._source, self._clock = source, clock
        self._on_reading, self._window = on_reading, window
        self._lock = threading.RLock()
        self._closed = False
        self._watched = {gpu.name: _Watched(interval) for gpu in gpus}
        self._elsewhere = {gpu.name: _Watched(RARE_INTERVAL) for gpu in elsewhere}
        every = [*self._watched.items(), *self._elsewhere.items()]
        self._threads = [start_thread(partial(self._watch, *each), f'gpu-{each[0]}') for each in every]

    def readings(self) -> dict[str, tuple[Reading, ...]]:
        """Name of a GPU to its kept readings, oldest first; empty where there is none yet."""
        with self._lock:
            return {name: tuple(watched.readings) for name, watched in self._watched.items()}

    def readings_elsewhere(self) -> dict[str, tuple[Reading, ...]]:
        """The same of the GPUs that are read rarely."""
        with self._lock:
            return {name: tuple(watched.readings) for name, watched in self._elsewhere.items()}

    def refresh(self, names: Iterable[str]) -> None:
        """Request readings of these GPUs at once and, for two seconds, in quick succession: a run ended there."""
        until = self._clock() + HURRY_FOR
        for name in names:
            self._watched[name].hurry_until = until
            self._watched[name].wake.set()

    def close(self, patience: float = 1.0) -> None:
        """End the threads and close the source, unless a reading hangs for more than ``patience`` seconds."""
        with self._lock:
            self._closed = True
        for watched in (*self._watched.values(), *self._elsewhere.values()):
            watched.wake.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._source.close()

    def _watch(self, name: str, watched: _Watched) -> None:
        while True:
            watched.wake.clear()
            reading = self._source.read(name, self._clock())
            if not self._keep(watched, reading):
                return
            watched.wake.wait(pause(self._clock(), watched.hurry_until, watched.interval))

    def _keep(self, watched: _Watched, reading: Reading) -> bool:
        """Keep a reading and report it; False when the monitor was closed."""
        with self._lock:
            if self._closed:
                return False
            kept = watched.readings
            if kept and kept[-1] == reading:
                return True
            kept.append(reading)
            while kept[0].at < reading.at - self._window:
                kept.popleft()
            self._on_reading()
            return True


def pause(now: float, hurry_until: float, interval: float) -> float:
    """Seconds until the next reading of a GPU; ``hurry_until``: the time until which readings are frequent."""
    return min(HURRIED_INTERVAL, interval) if now < hurry_until else interval
