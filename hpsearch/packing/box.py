"""What packing decides about: runs that wait, what may be done with them, and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpsearch.model.resources import DEFAULT_RESOURCES, ResourceRequest, Slot
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate

UNDECIDED = ''
"""The name that stands among the candidates for a run that its sampler chooses only once there is room for it."""

HAS_THE_MACHINE = 'this machine is reserved for a run that ran out of memory before'


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that waits.

    Attributes:
        run: Its name.
        estimate: What it is expected to need.
        resources: What it needs beyond what every run gets, since it ran out of memory.
        params: Its parameters, by which runs are chosen that tell much while nothing is known; empty: not known.
    """

    run: str
    estimate: Estimate = NOTHING_EXPECTED
    resources: ResourceRequest = DEFAULT_RESOURCES
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is to be started now, and where."""

    run: str
    slot: Slot


@dataclass(frozen=True, slots=True)
class Packing:
    """What packing decided.

    Attributes:
        starts: The runs that are started now, in this order.
        closed: Why a GPU gets none of the others, by its name.
        waiting: Why the machine as a whole gives none of the others a place, or empty.
        is_final: Whether there will never be a place again.
    """

    starts: tuple[Start, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    waiting: str = ''
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class PackingPolicy:
    """The limits of packing, as on the command line.

    Attributes:
        startup_time: Seconds after its start for which a run reserves all that it is expected to need, at most.
        max_runs_per_gpu: Runs of this search per GPU at a time; None: as many as fit.
        gpus_per_run: How many GPUs a run is given.
        window: Seconds of readings over which a GPU must have had room.
        stale_after: Seconds after which a reading is outdated.
        order: Names of the GPUs that are taken first; empty: no one is preferred.
    """

    startup_time: float = 60.0
    max_runs_per_gpu: int | None = None
    gpus_per_run: int = 1
    window: float = 5.0
    stale_after: float = 15.0
    order: tuple[str, ...] = ()
