"""A search among those of one user that share a host."""

from __future__ import annotations

from dataclasses import dataclass

TINY = 1e-9
"""Less than this of a place is nothing."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A search of this user on this host.

    Attributes:
        name: Which one.
        places: Where its runs may be.
        priority: Its share is proportional to this.
        held: How many places, or parts of places, its runs hold.
        wanted: How many more those would hold that wait.
        unit: How much the next one would hold.
        served: What it has held so far, in seconds times places, divided by its priority.
        notices_after: Seconds for which a place must be free before it starts a run there.
        who: The search, for people.
    """

    name: str
    places: frozenset[str]
    priority: float = 1.0
    held: float = 0.0
    wanted: float = 0.0
    unit: float = 1.0
    served: float = 0.0
    notices_after: float = 0.0
    who: str = ''

    @property
    def is_active(self) -> bool:
        """Whether it has a share at all."""
        return self.held > TINY or self.wanted > TINY

    @property
    def demand(self) -> float:
        """How many places it has use for."""
        return max(self.held, min(self.held + self.wanted, float(len(self.places))))
