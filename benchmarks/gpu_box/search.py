"""What hpsearch knows of its runs on the box: readings as NVML gives them, tenants, attempts, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from benchmarks.gpu_box.box import Box, Card, Ended, Resident
from benchmarks.gpu_box.jobs import RESERVED, Job, World
from hpsearch.dispatch.packing.lessons import RunningAttempt, observation
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.logs.out_of_memory import GPU_OOM
from hpsearch.model.resources import DEFAULT_RESOURCES, Gpu, GpuProcess, GpuTenant, Reading, ResourceRequest, Slot
from hpsearch.model.retries import RetryPolicy, again, had_most_room, resources_for
from hpsearch.model.states import State
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.model.usage.measured import Measured
from hpsearch.packing.prediction.observation import Observation

SOONEST = 10.0
"""Seconds after its start from which on something is known of the load of a run."""

KEPT_READINGS = 6
"""How many readings of a card are kept."""

PAUSES = 0.06
"""Share (0-1) of the time in which a process pauses, to save or to load, so that a reading finds it idle."""

PAUSE = 4.0
"""Seconds of such a pause."""

LOAD_NOISE = 0.08
"""What a reading of the load is wrong by, at most."""


EARLIER = 3.0
"""Seconds before a decision at which every card is read as well, so that there is more than one lucky reading."""


@dataclass(slots=True)
class _Seen:
    """What a driver would list of a card, until it changes.

    Attributes:
        changes: How often the card had changed.
        since: When that was seen.
        used: MiB in use, what the driver keeps included.
        processes: Who is on it.
        loads: Process id to the load of each that has any.
    """

    changes: int
    since: float
    used: int = 0
    processes: tuple[GpuProcess, ...] = ()
    loads: Sequence[tuple[int, float]] = ()


class Monitor:
    """Readings of the cards, with the noise that they have.

    Args:
        box: The cards.
        seed: Of the noise.
    """

    def __init__(self, box: Box, seed: int) -> None:
        self._box = box
        self._random = Random(f'readings {seed}')
        self._seen = [_Seen(-1, 0.0) for _ in box.cards]
        self.gpus = [Gpu(str(card.number), f'GPU-{card.number}', 'simulated', str(card.number)) for card in box.cards]
        self.readings: dict[str, tuple[Reading, ...]] = {gpu.name: () for gpu in self.gpus}

    def read(self) -> None:
        """Read all cards now; those that have not changed meanwhile were read some seconds before as well."""
        now = self._box.now
        for card, gpu in zip(self._box.cards, self.gpus, strict=True):
            seen = self._seen[card.number]
            moments = [now - EARLIER, now] if seen.changes == card.changes and now - EARLIER > seen.since else [now]
            if seen.changes != card.changes:
                seen = self._seen[card.number] = self._look(card)
            new = [self._reading(card, seen, moment) for moment in moments]
            self.readings[gpu.name] = (*self.readings[gpu.name][-KEPT_READINGS:], *new)

    def _look(self, card: Card) -> _Seen:
        processes = tuple(GpuProcess(each.pid, each.memory) for each in card.residents)
        loads = [(each.pid, each.load) for each in card.residents if each.load]
        return _Seen(card.changes, self._box.now, card.used + RESERVED, processes, loads)

    def _reading(self, card: Card, seen: _Seen, moment: float) -> Reading:
        busy = sum(load for pid, load in seen.loads if not pauses(pid, moment))
        load = busy and min(1.0, max(0.0, busy + LOAD_NOISE * (self._random.random() - self._random.random())))
        free = card.total - seen.used
        return Reading(moment, seen.used, card.total, round(load, 2), processes=seen.processes, memory_free=free)


def pauses(pid: int, moment: float) -> bool:
    """Whether a process pauses at that moment."""
    return (pid * 7919 + int(moment / PAUSE) * 104729) * 2654435761 % 2**32 < PAUSES * 2**32


@dataclass
class Lease:
    """A run of ours that is running, with what was expected of it."""

    who: Resident
    estimate: Estimate = NOTHING_EXPECTED
    resources: ResourceRequest = DEFAULT_RESOURCES


@dataclass
class Cost:
    """Hours that attempts took on their cards.

    Attributes:
        all: Those of all attempts.
        out_of_memory: Those of attempts that ran out of memory.
        attempts: How many there were.
        failures: How many of them ran out of memory.
    """

    all: float = 0.0
    out_of_memory: float = 0.0
    attempts: int = 0
    failures: int = 0


class Kind(Enum):
    """What becomes of runs that ran out of memory."""

    GIVES_UP = 'they are lost'
    RETRIES = 'they get a GPU of their own'
    PACKS = 'they are expected to need more'


class Search:
    """The runs of a search: which wait, which run, and what became of the others.

    Args:
        world: What there is to do.
        box: Where it is done.
        kind: What becomes of runs that ran out of memory.
    """

    def __init__(self, world: World, box: Box, kind: Kind) -> None:
        self._box, self._kind = box, kind
        self._most = max(world.totals)
        self._random = Random(f'measured {world.seed}')
        self.jobs: dict[str, Job] = {job.name: job for job in world.jobs}
        self.pending: list[str] = [*self.jobs]
        self.leases: dict[str, Lease] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.peaks: list[int] = []
        self.freed: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self.lost: list[str] = []
        self.last: list[Ended] = []
        self.changed = 0.0
        self.cost = Cost()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.pending and not self.leases

    def resources(self, run: str) -> ResourceRequest:
        """What a run needs since it ran out of memory."""
        if run not in self.attempts:
            return DEFAULT_RESOURCES
        return resources_for(self.attempts[run], packs=self._kind is Kind.PACKS)

    def tenants(self) -> list[GpuTenant]:
        """Our runs, as hpsearch knows them."""
        return [
            GpuTenant(
                (str(lease.who.card),),
                lease.who.began,
                lease.who.memory,
                exclusive=lease.resources.alone,
                run=run,
                estimate=lease.estimate,
                is_settled=lease.who.settled_after(self._box.now) is not None,
                measured=self._measured(lease.who, self._box.now - lease.who.began),
            )
            for run, lease in self.leases.items()
        ]

    def start(self, run: str, slot: Slot, estimate: Estimate = NOTHING_EXPECTED) -> None:
        """Start a run that waits."""
        self.pending.remove(run)
        number = int(slot.gpus[0])
        self.starts[slot.gpus[0]] = self.changed = self._box.now
        resources = self.resources(run)
        end = self._box.start(self.jobs[run], number)
        if end is not None:
            self.take(end)
            return
        who = self._box.cards[number].residents[-1]
        self.leases[run] = Lease(who, estimate, resources)

    def take(self, end: Ended) -> None:
        """Take in that a run has ended."""
        who, run = end.who, end.who.job.name
        self.leases.pop(run, None)
        self.last.append(end)
        self.changed = end.at
        self.freed[str(who.card)] = end.at
        seconds = end.at - who.began
        self.cost.all += seconds / 3600
        self.cost.attempts += 1
        self.peaks.append(who.peak)
        if end.lacked:
            self.cost.out_of_memory += seconds / 3600
            self.cost.failures += 1
        self._judge(end, run, seconds)

    def _judge(self, end: Ended, run: str, seconds: float) -> None:
        """Decide by the rules of hpsearch whether a run is run again."""
        attempts = self.attempts.setdefault(run, [])
        who, number, measured = end.who, len(attempts) + 1, self._measured(end.who, seconds)
        if not end.lacked:
            attempts.append(Attempt(run, number, State.FINISHED, seconds=seconds, measured=measured))
            return
        total = self._box.cards[who.card].total
        had = who.memory + end.free
        facts = {'was_alone': who.was_alone, 'gpu_total': total, 'largest': total == self._most, 'had': had}
        ends = State.FAILED if had_most_room(GPU_OOM, facts, attempts) else State.INTERRUPTED
        attempts.append(Attempt(run, number, ends, cause=GPU_OOM, facts=facts, seconds=seconds, measured=measured))
        if self._kind is not Kind.GIVES_UP and again(attempts, RetryPolicy()):
            self.pending.append(run)
        else:
            self.lost.append(run)

    def _measured(self, who: Resident, seconds: float) -> Measured:
        """What was measured of a run in so many seconds."""
        now = who.began + seconds
        load = min(1.0, max(0.0, self._random.gauss(who.measured_load(now), 0.01)))
        known = load if seconds >= SOONEST else None
        return Measured(who.peak or None, known, who.settled_after(now), sharing=who.company / max(1.0, seconds))

    @property
    def settled(self) -> int:
        """How many runs are running whose memory has settled."""
        return sum(lease.who.settled_after(self._box.now) is not None for lease in self.leases.values())

    def observations(self) -> list[Observation]:
        """What the runs tell that have ended or are running."""
        now = self._box.now
        told = [
            observation(attempt, self.jobs[run].params) for run, tried in self.attempts.items() for attempt in tried
        ]
        running = [
            RunningAttempt(run, 1, self.jobs[run].params, now - who.began, self._measured(who, now - who.began))
            for run, who in ((run, lease.who) for run, lease in self.leases.items())
        ]
        return [each for each in told if each is not None] + [each.observation for each in running]
