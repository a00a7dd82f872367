"""What an attempt uses of a machine, from samples taken while it runs. Pure: time is an argument."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from hpsearch.model.usage.measured import Measured

LEAST_GROWTH = 32
"""MiB by which GPU memory must have grown to count as having grown."""

LEAST_GROWTH_SHARE = 0.02
"""The same as a share of what was used before, whichever is more."""

SHORTEST_QUIET = 10.0
"""Seconds without growth after which GPU memory has settled, at least: an iteration or two, and what follows them."""

LONGEST_QUIET = 60.0
"""The same at most, and as long as the GPU has not computed anything since: it has a context, but no model yet."""

QUIET_SHARE = 0.5
"""The same as a share of the time until it grew last: what loads for long may load more after a longer pause."""

LONGEST_GAP = 5.0
"""Seconds between two samples of a GPU after which it is not known what was between them."""


@dataclass
class _OnGpu:
    """What an attempt uses on one GPU: MiB now, at most, and at its last noticeable growth."""

    memory: int = 0
    peak: int = 0
    level: int = 0
    at: float = -math.inf


@dataclass
class _Mean:
    """A mean over time."""

    total: float = 0.0
    seconds: float = 0.0

    def add(self, value: float, seconds: float) -> None:
        self.total += value * seconds
        self.seconds += seconds

    @property
    def value(self) -> float | None:
        return self.total / self.seconds if self.seconds > 0 else None


@dataclass
class GpuMeter:
    """What an attempt uses of GPUs.

    Its memory has settled when it has not grown noticeably for a while: the longer it took to grow, the longer this
    is. If it grows later, it has not settled any more.

    Attributes:
        started: When the attempt started, in monotonic seconds.
        is_lost: Whether what it uses cannot be told from what others use, as long as its processes are not listed.
    """

    started: float
    _gpus: dict[str, _OnGpu] = field(default_factory=dict)
    _grown: float | None = None
    _was_seen_growing: bool = False
    _latest: float = -math.inf
    _load: _Mean = field(default_factory=_Mean)
    _load_since: _Mean = field(default_factory=_Mean)
    _is_certain: bool = False
    is_lost: bool = False

    def note(self, gpu: str, at: float, memory: int, load: float | None, *, is_certain: bool = True) -> None:
        """Take in a sample.

        Args:
            gpu: Name of the GPU.
            at: When, in monotonic seconds.
            memory: MiB that the attempt uses there.
            load: The load (0-1) it alone puts on it; None: not known.
            is_certain: Whether these are its processes. Otherwise it is by difference of what the whole GPU uses, and
                forgotten as soon as something is certain.
        """
        if is_certain and not self._is_certain:
            self._forget()
            self._is_certain = True
        elif self._is_certain and not is_certain:
            return
        there = self._gpus.setdefault(gpu, _OnGpu(at=self.started))
        gap, has_grown = max(0.0, at - there.at), is_noticeable(memory, there.level)
        if there.level or has_grown:
            self._add_load(load, min(gap, LONGEST_GAP))
        there.at, there.memory, there.peak = at, memory, max(memory, there.peak)
        self._latest = max(self._latest, at)
        if has_grown:
            there.level, self._grown, self._load_since = memory, at, _Mean()
            self._was_seen_growing = gap <= LONGEST_GAP

    def _forget(self) -> None:
        self._gpus.clear()
        self._grown, self._load, self._load_since, self.is_lost = None, _Mean(), _Mean(), False

    def _add_load(self, load: float | None, seconds: float) -> None:
        if load is not None:
            self._load.add(load, seconds)
            self._load_since.add(load, seconds)

    def lose(self) -> None:
        """What it uses cannot be told from what others use any more: unless it had settled, it is not known."""
        if not self._is_certain:
            self.is_lost = self.is_lost or not self._is_quiet

    @property
    def memory(self) -> int | None:
        """MiB that it uses now, on all GPUs together; None: not known."""
        return None if self.is_lost or not self._gpus else sum(each.memory for each in self._gpus.values())

    def memory_on(self, gpu: str) -> int | None:
        """MiB that it uses now on one GPU; None: not known."""
        return None if self.is_lost or gpu not in self._gpus else self._gpus[gpu].memory

    @property
    def is_settled(self) -> bool:
        """Whether it will take no more memory than now, as far as can be told."""
        is_full = not any(is_noticeable(each.level, each.memory) for each in self._gpus.values())
        return self._is_quiet and is_full and not self.is_lost

    @property
    def _is_quiet(self) -> bool:
        """Whether its memory has not grown for long enough."""
        if self._grown is None:
            return False
        return self._latest - self._grown >= quiet_needed(self._grown - self.started, self._load_since.value)

    @property
    def peak(self) -> int | None:
        """MiB on the GPU where it used most; None: not known."""
        return None if self.is_lost else max((each.peak for each in self._gpus.values()), default=None)

    @property
    def load(self) -> float | None:
        """Its mean load since its memory settled, or since its first use of a GPU; None: not known."""
        if self._is_quiet and self._load_since.value is not None:
            return self._load_since.value
        return self._load.value

    @property
    def settled_after(self) -> float | None:
        """Seconds from its start until its memory had settled; None: it has not, or nobody looked then."""
        if self._grown is None or self.is_lost or not self._is_quiet or not self._was_seen_growing:
            return None
        return max(0.0, self._grown - self.started)


def is_noticeable(memory: int, before: int) -> bool:
    """Whether an amount of memory is noticeably more than another one (MiB)."""
    return memory > before + max(LEAST_GROWTH, LEAST_GROWTH_SHARE * before)


def quiet_needed(grew_for: float, load: float | None) -> float:
    """Seconds without growth after which GPU memory has settled.

    Args:
        grew_for: Seconds from the start until it grew last.
        load: The mean load (0-1) since then; None: not known.
    """
    if load == 0.0:
        return LONGEST_QUIET
    return min(LONGEST_QUIET, max(SHORTEST_QUIET, QUIET_SHARE * grew_for))


@dataclass
class HostMeter:
    """What an attempt uses of its host.

    Args:
        started: When it started, in monotonic seconds.

    Attributes:
        peak: MiB that it used at most; None, here and below: not known.
        memory: MiB that it used when it was looked at last.
        cpu: Cores that it has kept busy since it started, as a mean.
    """

    started: float
    peak: int | None = None
    memory: int | None = None
    cpu: float | None = None
    _cpu_seconds: float = 0.0

    def note(self, at: float, memory: int | None, cpu_seconds: float | None) -> None:
        """Take in a sample.

        Args:
            at: When, in monotonic seconds.
            memory: MiB that all its processes use; None, here and below: not known. Processes that have ended, and that
                nobody has waited for yet, use none: that says nothing.
            cpu_seconds: What they have used of processors since the start, with those that have ended.
        """
        if memory:
            self.peak, self.memory = max(memory, self.peak or 0), memory
        if cpu_seconds is not None and at > self.started:
            # Some of it is lost with a process that ended unseen, but none is given back.
            self._cpu_seconds = max(cpu_seconds, self._cpu_seconds)
            self.cpu = self._cpu_seconds / (at - self.started)


class Occupancy:
    """How many runs are in a place, as a mean over time.

    Attributes:
        at: When that was noted last, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.at = -math.inf
        self._count = 0
        self._total = 0.0

    def note(self, at: float, count: int) -> None:
        """From now on there are so many (``at``: monotonic seconds)."""
        self._total, self.at = self.total(at), max(at, self.at)
        self._count = count

    def total(self, at: float) -> float:
        """The seconds that all runs together have been there."""
        return self._total + (self._count * (at - self.at) if at > self.at > -math.inf else 0.0)


@dataclass
class SharingMeter:
    """How many runs, itself included, an attempt was among since it was first seen.

    Args:
        places: Where it is.
        since: From when on, in monotonic seconds.
    """

    places: tuple[Occupancy, ...]
    since: float

    def __post_init__(self) -> None:
        self._before = self._total(self.since)

    def mean(self, at: float) -> float | None:
        """The mean until now; None: not known."""
        seconds = at - self.since
        return (self._total(at) - self._before) / seconds / len(self.places) if seconds > 0 and self.places else None

    def _total(self, at: float) -> float:
        return sum(place.total(at) for place in self.places)


@dataclass
class Meter:
    """What an attempt uses of GPUs and of its host.

    Args:
        started: When it started, in monotonic seconds.
        places: What it shares with other runs.
        since: When it was first seen here, in monotonic seconds.
    """

    started: float
    places: Iterable[Occupancy] = ()
    since: float = -math.inf

    def __post_init__(self) -> None:
        self.gpu = GpuMeter(self.started)
        self.host = HostMeter(self.started)
        self._sharing = SharingMeter(tuple(self.places), max(self.started, self.since))

    def measured(self, at: float) -> Measured:
        """What was measured until now (monotonic seconds)."""
        return Measured(
            gpu_memory=self.gpu.peak,
            gpu_load=self.gpu.load,
            settled_after=self.gpu.settled_after,
            host_memory=self.host.peak,
            cpu=self.host.cpu,
            sharing=self._sharing.mean(at),
        )
