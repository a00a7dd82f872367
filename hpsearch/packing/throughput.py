"""What was learned of how runs that share a GPU slow each other."""

from __future__ import annotations

from dataclasses import dataclass

WORTHWHILE = 0.25
"""Share of its own speed that a GPU must gain by another run: below that, the run only slows those that are there."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How much runs get done together on one GPU.

    Attributes:
        capacity: The load that a GPU serves: what runs put on a GPU that each has for itself adds up to this before
            they slow each other. 1: no more than one run that keeps a GPU busy all the time.
    """

    capacity: float = 1.0

    def speed(self, taken: float) -> float:
        """How fast (0-1) runs go that would put so much load on a GPU together."""
        return min(1.0, self.capacity / taken) if taken > 0 else 1.0

    def gain(self, taken: float, load: float) -> float:
        """What a GPU gains by another run, as a share of what that run would do alone.

        Args:
            taken: The load that is there.
            load: The load that the run puts on a GPU that it has for itself.
        """
        if load <= 0:
            return 1.0
        return max(0.0, min(self.capacity, taken + load) - min(self.capacity, taken)) / load

    def is_worthwhile(self, taken: float, load: float) -> bool:
        """Whether another run gets enough done there; the first one always does."""
        return taken <= 0 or self.gain(taken, load) >= WORTHWHILE


NOTHING_LEARNED = Sharing()
