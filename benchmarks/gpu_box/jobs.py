"""What is executed on the box: processes that pass through phases, and how those on one card slow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hpsearch.model.configuration import Params


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a process in which it uses the same all the time.

    Attributes:
        seconds: How long it takes where nothing slows it.
        memory: MiB, allocated at its beginning.
        load: The load (0-1) that it puts on its card where nothing slows it.
    """

    seconds: float
    memory: int
    load: float


@dataclass(frozen=True)
class Job:
    """A process: a run of ours, or somebody else's.

    Attributes:
        name: Its name.
        phases: What it passes through, one after the other.
        params: The parameters of a run of ours.
        is_settled_in: Number of the phase from which on its memory stays (though some grow later all the same).
        touchy: How much it suffers from others on its card, compared with the usual (1).
    """

    name: str
    phases: Sequence[Phase]
    params: Params
    is_settled_in: int = 0
    touchy: float = 1.0

    @cached_property
    def peak(self) -> int:
        """The most memory it uses, in MiB."""
        return max(phase.memory for phase in self.phases)

    @cached_property
    def seconds(self) -> float:
        """How long it takes alone."""
        return sum(phase.seconds for phase in self.phases)

    @cached_property
    def work(self) -> float:
        """Seconds of a whole card that it needs."""
        return sum(phase.seconds * phase.load for phase in self.phases)

    @cached_property
    def memory_seconds(self) -> float:
        """MiB times seconds that it holds memory alone."""
        return sum(phase.seconds * phase.memory for phase in self.phases)

    @cached_property
    def settled_after(self) -> float:
        """Seconds from its start until its memory stays, for the time being."""
        return sum(phase.seconds for phase in self.phases[: self.is_settled_in])


@dataclass(frozen=True, slots=True)
class Law:
    """How the processes on one card slow each other.

    Attributes:
        interference: How much a process is slowed by each whole load beside it, even below 100 %.
        gain: How much more than a card many processes get done together; 0: no more.
        thrash: How much worse than its share each gets above 100 %; 0: exactly its share.
    """

    interference: float = 0.0
    gain: float = 0.0
    thrash: float = 0.0

    def capacity(self, largest: float) -> float:
        """The most work that a card does per second with processes of no more load than ``largest`` each."""
        room = 1.0 + self.gain
        return room / (1.0 + self.interference * max(0.0, room - largest))

    def speeds(self, loads: Sequence[float], touchy: Sequence[float]) -> list[float]:
        """How fast each process goes (0-1), by the loads of all and by how touchy each is."""
        total = sum(loads)
        room = 1.0 + self.gain * (1.0 - 1.0 / len(loads)) if loads else 1.0
        shared = 1.0 if total <= room else (room / total) ** (1.0 + self.thrash)
        return [
            shared / (1.0 + self.interference * each * (total - load)) for load, each in zip(loads, touchy, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody else's process.

    Attributes:
        job: What it is.
        at: When it comes, in seconds.
        looks: Whether it looks for a card with room, and waits for one; otherwise it takes ``card``.
        card: Number of the card it takes without looking.
    """

    job: Job
    at: float
    looks: bool
    card: int


@dataclass(frozen=True)
class World:
    """One box with all that will happen to it.

    Attributes:
        seed: What it was drawn from.
        totals: MiB of each card.
        jobs: The runs of the search, in its order.
        visits: What others will do, by time.
        law: How processes slow each other.
    """

    seed: int
    totals: Sequence[int]
    jobs: Sequence[Job]
    visits: Sequence[Visit]
    law: Law


RESERVED = 400
"""MiB of each card that nobody gets, since the driver keeps them."""


def bounds(world: World) -> dict[str, float]:
    """Seconds that no policy can stay below, each with its reason; others are left out, which only lowers them.

    Work: all cards do as much as the law of the box lets them. Memory: all cards are full all the time. The same for
    the runs that fit only into the larger cards. And the longest run.
    """
    found = {'longest run': max(job.seconds for job in world.jobs)}
    for least in sorted({0, *world.totals}):
        jobs = [job for job in world.jobs if job.peak > max(0, least - RESERVED)]
        cards = [total for total in world.totals if total > least]
        if jobs and cards:
            where = f' of runs above {least // 1024} GB' if least else ''
            most = world.law.capacity(max(phase.load for job in jobs for phase in job.phases))
            found[f'work{where}'] = sum(job.work for job in jobs) / (len(cards) * most)
            found[f'memory{where}'] = sum(job.memory_seconds for job in jobs) / sum(cards)
    return found


def lower_bound(world: World) -> float:
    """Seconds that no policy can stay below."""
    return max(bounds(world).values())
