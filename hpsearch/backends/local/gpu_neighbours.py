"""What of the GPUs of this machine is left to others, from readings and from what is running."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from hpsearch.host.gpu.holders import Holders
from hpsearch.model.placement import identity
from hpsearch.model.resources import Gpu, GpuTenant, OtherStart, Reading, Readings, Slot
from hpsearch.packing.neighbours.policy import NeighbourPolicy
from hpsearch.packing.neighbours.quota import Taken, is_idle, why_beyond, why_closed, why_not_watched, within
from hpsearch.packing.neighbours.strangers import (
    NO_LIMIT,
    NOBODY,
    Limits,
    OwnRun,
    Presence,
    who_makes_room,
    why_kept_away,
    why_promised,
)


class GpuNeighbours:
    """Keeps a search to its quota of the GPUs, and away from those that others use.

    Attributes:
        holders: Describes processes.

    Args:
        gpus: Those that may be used.
        policy: What is left to others.
        limits: What a GPU may be used to that is shared with others.
        window: Seconds for which others must have gone.
    """

    def __init__(
        self, gpus: Sequence[Gpu], policy: NeighbourPolicy, limits: Limits = NO_LIMIT, window: float = 5.0
    ) -> None:
        self.holders = Holders()
        self._gpus = gpus
        self._policy = policy
        self._limits, self._window = limits, window
        self._presences: dict[str, Presence] = {}

    def take_in(
        self,
        gpu: str,
        readings: Sequence[Reading],
        ours: int | None,
        run_of: Callable[[int], str | None],
        other_starts: Sequence[OtherStart],
    ) -> None:
        """Take in new readings of a GPU.

        Args:
            gpu: Its name.
            readings: In their order.
            ours: MiB that runs of this search use of it now, as far as all of that is known; None: it is not.
            run_of: Process id to the run of ours that it belongs to; None: to none.
            other_starts: Runs that other hpsearch of this host have started.
        """
        if not self._policy.keeps_away:
            return
        for reading in readings:
            seen = self.holders.of(reading.processes or (), run_of, other_starts)
            self._presences[gpu] = self._presences.get(gpu, NOBODY).seen(reading, seen, ours)

    @property
    def siblings(self) -> Mapping[str, int]:
        """GPU to the MiB that runs of other hpsearch of this user use of it, as far as the driver tells."""
        return {gpu: presence.siblings for gpu, presence in self._presences.items()}

    def leaving(
        self, ours: Mapping[str, Sequence[OwnRun]], readings: Readings, freed: Mapping[str, float], now: float
    ) -> Mapping[str, str]:
        """Which attempts make room for others now, where that is asked for: id to the reason, in words.

        Args:
            ours: GPU to our attempts there.
            readings: Of the GPUs, oldest first.
            freed: GPU to when an attempt of ours last ended there.
            now: Monotonic seconds.
        """
        chosen: dict[str, str] = {}
        for gpu, presence in self._presences.items() if self._policy.yields else ():
            history, changed = readings.get(gpu, ()), freed.get(gpu, -math.inf)
            ident, why = who_makes_room(presence, history, ours.get(gpu, ()), self._limits, now, changed)
            if ident:
                chosen.setdefault(ident, f'on GPU {gpu} {why}')
        return chosen

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
        promised = why_promised(self._gpus, other_starts if self._policy.keeps_away else ())
        away = {**promised, **why_kept_away(self._presences, self._window, now)}
        return {**why_closed(names, taken, self._policy.quota), **unwatched, **away}

    def within_quota(
        self,
        slots: Sequence[Slot],
        readings: Readings,
        everybody: Sequence[GpuTenant],
        other_starts: Sequence[OtherStart],
    ) -> tuple[Sequence[Slot], Mapping[str, str]]:
        """The slots that take no more than the quota, and why GPUs get no run that the others are on, in words."""
        kept = within(slots, self._taken(readings, everybody, other_starts), self._policy.quota)
        return kept, why_beyond(slots, kept, self._policy.quota)

    def _taken(self, readings: Readings, everybody: Sequence[GpuTenant], other_starts: Sequence[OtherStart]) -> Taken:
        ours = frozenset(gpu for tenant in everybody for gpu in tenant.gpus)
        started = {uuid for start in other_starts for uuid in start.gpus}
        idle = frozenset(
            gpu.name
            for gpu in self._gpus
            if gpu.name not in ours and identity(gpu) not in started and is_idle(readings.get(gpu.name, ()))
        )
        return Taken(ours, idle)
