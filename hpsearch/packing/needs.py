"""What runs that wait need, and in which order they are considered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from hpsearch.model.usage.estimate import Guess
from hpsearch.packing.box import Candidate

UNKNOWN_LOAD = 1.0
"""The load that a run counts as while nothing is known: what is unknown counts as busy."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a run needs of each of its GPUs.

    Attributes:
        candidate: The run.
        memory: MiB that it gets; None: nothing is known.
        expected: MiB that it will most likely take.
        is_risky: Whether it may well take more than it gets, since no run like it was measured.
        load: The load (0-1) that it is expected to put on a GPU.
        seconds: How long it is expected to run where nothing slows it; None: nothing is known.
        homes: How many GPUs have room for it while nothing else is there.
        least: MiB that a GPU must have while nothing is there: of a run that seems to fit nowhere, the most there is.
    """

    candidate: Candidate
    memory: float | None
    expected: float
    is_risky: bool
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
    memory = None if estimate.memory is None else _memory(estimate.memory)
    load = UNKNOWN_LOAD if estimate.load is None else min(1.0, max(0.0, estimate.load.expected))
    return Need(
        candidate,
        memory,
        expected=0.0 if estimate.memory is None else estimate.memory.expected,
        is_risky=estimate.memory is not None and not estimate.memory.is_known,
        load=load,
        seconds=None if estimate.seconds is None else estimate.seconds.expected,
        homes=sum(room >= (memory or 0.0) for room in rooms),
        least=min(memory or 0.0, max(rooms, default=0.0)),
    )


def _memory(guess: Guess) -> float:
    """MiB that a run gets.

    What was guessed is guessed high, by a factor rather than by a sum. To wait for as much costs more than to try a run
    with less: if it runs out of memory, it does so while it loads, and what it used is a lesson.
    """
    return guess.high if guess.is_known else math.sqrt(max(1.0, guess.expected) * guess.high)
