"""How a backend of this machine is made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hpsearch.backends.base import AttemptBackend
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.machine_gate import MachineGate
from hpsearch.backends.local.slots import SlotSource, TimeLimit
from hpsearch.cli.backends.job_time import durations_of, pilot_margin
from hpsearch.cli.context import BackendContext, MakeBackend
from hpsearch.model.retries import JobTime
from hpsearch.packing.neighbours.policy import NO_LIMITS, NeighbourPolicy

if TYPE_CHECKING:
    from hpsearch.backends.local.fair_shares import FairShares


def local_backend(
    slots: SlotSource,
    job_time: JobTime | None = None,
    policy: NeighbourPolicy = NO_LIMITS,
    nice: int = 0,
    shares: FairShares | None = None,
) -> MakeBackend:
    """How a backend of this machine is made; ``job_time`` as in :func:`hpsearch.cli.backends.choice.choose_backend`."""

    def make(context: BackendContext) -> AttemptBackend:
        limit = None if job_time is None else _time_limit(job_time, context)
        where = context.search.folder, context.search.run_cwd
        return LocalBackend(*where, slots, context.wakeup, limit, MachineGate(policy), nice, shares)

    return make


def _time_limit(job_time: JobTime, context: BackendContext) -> TimeLimit:
    durations, margin = partial(durations_of, context.state), pilot_margin(context.grace)
    return TimeLimit(job_time.end, durations, margin, is_ours=bool(job_time.margin))
