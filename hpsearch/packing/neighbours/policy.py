"""What a search leaves to others, as on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpsearch.packing.neighbours.hours import Hours
from hpsearch.packing.neighbours.machine import MachineLimits
from hpsearch.packing.neighbours.quota import Quota


@dataclass(frozen=True, slots=True)
class NeighbourPolicy:
    """What a search leaves to others.

    Attributes:
        quota: Of the GPUs.
        machine: Of the machine.
        hours: When runs are started; None: always.
        watched: Seconds for which a GPU must have been watched before it gets its first run.
        keeps_away: Whether a GPU with processes of others gets no run, whatever is free of it.
        yields: Whether runs make room for others.
    """

    quota: Quota = field(default_factory=Quota)
    machine: MachineLimits = field(default_factory=MachineLimits)
    hours: Hours | None = None
    watched: float = 0.0
    keeps_away: bool = False
    yields: bool = False


NO_LIMITS = NeighbourPolicy()
