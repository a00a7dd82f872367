"""What runs that wait need, and in which order they are considered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from hpsearch.packing.box import Candidate

UNKNOWN_LOAD = 1.0
"""The load that a run counts as while nothing is known: what is unknown counts as busy."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a run needs of each of its GPUs.

    Attributes:
        candidate: The run.
        memory: MiB that it should not exceed; None: nothing is known.
        load: The load (0-1) that it is expected to put on a GPU.
        seconds: How long it is expected to run where nothing slows it; None: nothing is known.
        homes: How many GPUs have room for it while nothing else is there.
        least: MiB that a GPU must have while nothing is there: of a run that seems to fit nowhere, the most there is.
    """

    candidate: Candidate
    memory: float | None
    load: float
    seconds: float | None
    homes: int
    least: float = 0.0

    @property
    def rank(self) -> tuple[bool, int, float, float]:
        """The smaller, the sooner: those that fit into few GPUs, the longest, the largest."""
        is_patient = not (self.candidate.resources.alone or self.candidate.resources.larger_than)
        return is_patient, self.homes, -(self.seconds or 0.0), -(self.memory or 0.0)


def needs_in_order(candidates: Iterable[Candidate], rooms: Sequence[float]) -> list[Need]:
    """What candidates need, first those that are to start first.

    Those that fit into few GPUs come first, since the others can go elsewhere; then the longest, so that the end of the
    search is not one long run alone; then the largest, since small ones fit into gaps.

    Args:
        candidates: The runs that wait.
        rooms: MiB of each GPU while nothing is there.
    """
    return sorted((_need(candidate, rooms) for candidate in candidates), key=attrgetter('rank'))


def _need(candidate: Candidate, rooms: Sequence[float]) -> Need:
    estimate = candidate.estimate
    memory = None if estimate.memory is None else estimate.memory.high
    load = UNKNOWN_LOAD if estimate.load is None else min(1.0, max(0.0, estimate.load.expected))
    seconds = None if estimate.seconds is None else estimate.seconds.expected
    homes = sum(room >= (memory or 0.0) for room in rooms)
    return Need(candidate, memory, load, seconds, homes, min(memory or 0.0, max(rooms, default=0.0)))
