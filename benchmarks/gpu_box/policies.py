"""Who decides where runs start: the original, the thresholds of hpsearch, and packing."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from benchmarks.gpu_box.search import Kind, Monitor, Search
from hpsearch.dispatch.packing.lessons import by_its_own
from hpsearch.model.placement import place, predict_need
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuPolicy, GpuProcess, ResourceRequest, Slot
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.holders import GpuHolder, HolderKind
from hpsearch.packing.box import Candidate, PackingPolicy
from hpsearch.packing.learned import Learned, learn
from hpsearch.packing.neighbours.strangers import NOBODY, Presence, why_kept_away
from hpsearch.packing.pack import pack

Decision = tuple[str, Slot, Estimate]
"""A run that is started, where, and what is expected of it."""


class Policy(Protocol):
    """Decides what is started."""

    kind: Kind
    """What becomes of runs that ran out of memory."""

    def decide(self, now: float, search: Search, monitor: Monitor) -> Sequence[Decision]:
        """Which of the runs that wait are started now."""


@dataclass
class Original:
    """That of hypnettorch: a random one of the GPUs that one reading allows.

    Attributes:
        limit: ``--max_num_jobs_per_gpu``.
        allowed_memory: Share (0-1) of memory above which a GPU gets nothing.
        allowed_load: The same of load.
        delay: ``--sim_startup_time``.
        random: What it chooses by.
    """

    limit: int = 1
    allowed_memory: float = 0.5
    allowed_load: float = 0.5
    delay: float = 60.0
    random: Random = field(default_factory=lambda: Random(1))
    kind: Kind = Kind.GIVES_UP

    def decide(self, now: float, search: Search, monitor: Monitor) -> Sequence[Decision]:
        """One run for each GPU that is allowed, in random order."""
        allowed = [gpu.name for gpu in monitor.gpus if self._allows(gpu.name, now, search, monitor)]
        self.random.shuffle(allowed)
        return [
            (run, Slot((name,), name), NOTHING_EXPECTED) for run, name in zip(search.pending, allowed, strict=False)
        ]

    def _allows(self, name: str, now: float, search: Search, monitor: Monitor) -> bool:
        reading = monitor.readings[name][-1]
        ours = sum(lease.who.card == int(name) for lease in search.leases.values())
        used = (reading.memory_used or 0) / (reading.memory_total or 1)
        is_free = used <= self.allowed_memory and (reading.load or 0.0) <= self.allowed_load
        return is_free and ours < self.limit and now - search.starts.get(name, -self.delay) >= self.delay


@dataclass
class Thresholds:
    """The thresholds of hpsearch.

    Attributes:
        policy: As on the command line.
    """

    policy: GpuPolicy = field(default_factory=GpuPolicy)
    kind: Kind = Kind.RETRIES

    def decide(self, now: float, search: Search, monitor: Monitor) -> Sequence[Decision]:
        """Runs that ran out of memory first, if there is room for one, else the others in their order."""
        demanding = [run for run in search.pending if search.attempts.get(run)]
        for run in demanding:
            slots = self._slots(now, search, monitor, search.resources(run))
            if slots:
                return [(run, slots[0], NOTHING_EXPECTED)]
        ordinary = [run for run in search.pending if run not in search.attempts]
        slots = self._slots(now, search, monitor, DEFAULT_RESOURCES) if ordinary else ()
        return [(run, slot, NOTHING_EXPECTED) for run, slot in zip(ordinary, slots, strict=False)]

    def _slots(self, now: float, search: Search, monitor: Monitor, resources: ResourceRequest) -> Sequence[Slot]:
        need = predict_need(search.peaks)
        return place(
            monitor.gpus,
            monitor.readings,
            search.tenants(),
            self.policy,
            now,
            need=need,
            freed=search.freed,
            starts=search.starts,
            resources=resources,
        ).slots


MOST_CANDIDATES = 1000
"""Runs that packing chooses among."""

LEARNS_EVERY = 20.0
"""Seconds between two times that it learns, at least: hpsearch itself learns more often."""

LEARNS_SHARE = 0.07
"""The same as a share of the time so far, since learning takes most of the time of a simulation."""


@dataclass
class Packing:
    """Packing by what runs are expected to need, as earlier ones tell.

    Attributes:
        policy: The limits; nothing of it is set by hand.
    """

    policy: PackingPolicy = field(default_factory=PackingPolicy)
    kind: Kind = Kind.PACKS
    _presences: dict[str, Presence] = field(default_factory=dict)
    _known: tuple[int, int] = (-1, -1)
    _learned_at: float = -math.inf
    _estimates: dict[str, Estimate] = field(default_factory=dict)
    _learned: Learned = field(default_factory=Learned)

    def decide(self, now: float, search: Search, monitor: Monitor) -> Sequence[Decision]:
        """What packing starts."""
        self.learn(search, now)
        return [*self._decisions(now, search, monitor)]

    def learn(self, search: Search, now: float) -> None:
        """Estimate anew where there is more to learn from."""
        known = search.cost.attempts, search.settled
        if known != self._known and now >= self._learned_at + max(LEARNS_EVERY, LEARNS_SHARE * now):
            self._known, self._learned_at = known, now
            self._learned = learn(search.observations(), self._learned)
            found = self._learned.predictor.estimates([search.jobs[run].params for run in search.pending])
            self._estimates = dict(zip(search.pending, found, strict=True))

    def estimate(self, run: str, search: Search) -> Estimate:
        """What a run is expected to need."""
        estimate = self._estimates.get(run, NOTHING_EXPECTED)
        return by_its_own(estimate, search.attempts[run]) if run in search.attempts else estimate

    def _decisions(self, now: float, search: Search, monitor: Monitor) -> Iterator[Decision]:
        candidates = [
            Candidate(run, self.estimate(run, search), search.resources(run), search.jobs[run].params)
            for run in search.pending[:MOST_CANDIDATES]
        ]
        packing = pack(
            monitor.gpus,
            monitor.readings,
            search.tenants(),
            candidates,
            self.policy,
            now,
            freed=search.freed,
            avoided=self._kept_away(now, search, monitor),
            sharing=self._learned.sharing,
        )
        known: Mapping[str, Estimate] = {each.run: each.estimate for each in candidates}
        for start in packing.starts:
            yield start.run, start.slot, known[start.run]

    def _kept_away(self, now: float, search: Search, monitor: Monitor) -> Mapping[str, str]:
        """Why some GPUs are left to others."""
        ours = {lease.who.pid for lease in search.leases.values()}
        for name, readings in monitor.readings.items():
            reading = readings[-1]
            used = sum(process.memory or 0 for process in reading.processes or () if process.pid in ours)
            holders = [_holder(process, ours) for process in reading.processes or ()]
            self._presences[name] = self._presences.get(name, NOBODY).seen(reading, holders, used)
        return why_kept_away(self._presences, self.policy.window, now)


def _holder(process: GpuProcess, ours: Container[int]) -> GpuHolder:
    kind = HolderKind.RUN if process.pid in ours else HolderKind.PROCESS
    return GpuHolder(kind, process.pid, memory=process.memory, is_stranger=process.pid not in ours)


@dataclass
class Oracle(Packing):
    """The same packing with the true needs instead of predictions."""

    def learn(self, search: Search, now: float) -> None:
        """There is nothing to learn."""

    def estimate(self, run: str, search: Search) -> Estimate:
        """What a run needs."""
        job = search.jobs[run]
        return Estimate(
            memory=Guess(job.peak, job.peak),
            load=Guess(job.work / job.seconds, job.work / job.seconds),
            seconds=Guess(job.seconds, job.seconds),
            settled_after=Guess(job.settled_after, job.settled_after),
        )
