"""What of the GPUs of this machine is left to others, from readings and from what is running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpsearch.model.placement import identity
from hpsearch.model.resources import Gpu, GpuTenant, OtherStart, Placement, Reading
from hpsearch.packing.box import Packing
from hpsearch.packing.neighbours.policy import NeighbourPolicy
from hpsearch.packing.neighbours.shares import Taken, is_idle, why_closed, why_not_watched, within

Readings = Mapping[str, Sequence[Reading]]


class GpuNeighbours:
    """Keeps a search to its share of the GPUs.

    Args:
        gpus: Those that may be used.
        policy: What is left to others.
    """

    def __init__(self, gpus: Sequence[Gpu], policy: NeighbourPolicy) -> None:
        self._gpus = gpus
        self._policy = policy

    def closed(
        self, readings: Readings, everybody: Sequence[GpuTenant], other_starts: Sequence[OtherStart], now: float
    ) -> Mapping[str, str]:
        """Why GPUs get no run now: name to the reason, in words.

        Args:
            readings: Of the GPUs, oldest first.
            everybody: The attempts of this search on this machine.
            other_starts: Runs that other hpsearch of this host have started.
            now: Monotonic seconds.
        """
        names = [gpu.name for gpu in self._gpus]
        taken = self._taken(readings, everybody, other_starts)
        unwatched = why_not_watched({name: readings.get(name, ()) for name in names}, self._policy.watched, now)
        return {**why_closed(names, taken, self._policy.shares), **unwatched}

    def within_share(
        self,
        placement: Placement,
        readings: Readings,
        everybody: Sequence[GpuTenant],
        other_starts: Sequence[OtherStart],
    ) -> Placement:
        """A placement without the slots that would take more than the share."""
        taken = self._taken(readings, everybody, other_starts)
        return replace(placement, slots=tuple(within(placement.slots, taken, self._policy.shares)))

    def packed_within_share(
        self, packing: Packing, readings: Readings, everybody: Sequence[GpuTenant], other_starts: Sequence[OtherStart]
    ) -> Packing:
        """The same of what packing decided."""
        taken, slots = self._taken(readings, everybody, other_starts), [start.slot for start in packing.starts]
        kept = within(slots, taken, self._policy.shares)
        return replace(packing, starts=tuple(start for start in packing.starts if start.slot in kept))

    def _taken(self, readings: Readings, everybody: Sequence[GpuTenant], other_starts: Sequence[OtherStart]) -> Taken:
        ours = frozenset(gpu for tenant in everybody for gpu in tenant.gpus)
        started = {uuid for start in other_starts for uuid in start.gpus}
        idle = frozenset(
            gpu.name
            for gpu in self._gpus
            if gpu.name not in ours and identity(gpu) not in started and is_idle(readings.get(gpu.name, ()))
        )
        return Taken(ours, idle)
