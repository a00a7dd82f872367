"""The share of a search among those of the same user on this host: what it may start, and what others are told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from hpsearch.host.gpu.searches import SearchesHere, place_name
from hpsearch.model.resources import Placement, Slot
from hpsearch.model.usage.contender import TINY, Contender
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate
from hpsearch.packing.box import Packing
from hpsearch.packing.shares import Offer, Turns, contending, fair_shares, served_at_entry

Part = Callable[[Estimate, str], float]
"""What part (0-1) of a place a run holds: from what it is expected to need, and the name of its GPU."""

Held = Sequence[tuple[Slot, Estimate]]


class FairShares:
    """Keeps how our search stands among the others.

    Args:
        searches: What the others tell.
        places: Name of a GPU, or empty for the machine as a whole, to what every process of the host knows it by.
        part: What part of its GPU a run holds.
        priority: The share of the search is proportional to this.
        most: How many GPUs the search uses at a time, at most.
        notices_after: Seconds for which a GPU must be free before a run is started there.
        clock: Monotonic seconds, of the clock that all processes of this host have.
    """

    def __init__(
        self,
        searches: SearchesHere,
        places: Mapping[str, str],
        part: Part,
        priority: float = 1.0,
        most: float = math.inf,
        notices_after: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._searches = searches
        self._clock = clock
        self._places = {name: place_name(place) for name, place in places.items()}
        self._part = part
        self._most = most
        self._turns = Turns()
        ours = frozenset(self._places.values())
        self._ours = Contender(
            '', ours, priority, unit=part(NOTHING_EXPECTED, next(iter(places))), notices_after=notices_after
        )
        self._runs = 0
        self._is_shut = False
        self._since = clock()
        self.kept_back: Mapping[str, str] = {}

    def belong_to(self, search: str, who: str) -> None:
        """Say which search this is: by what it is known on this host, and for people."""
        self._ours = replace(self._ours, name=place_name(search), who=who)

    # What the others are told

    def want(self, runs: int, held: Held) -> None:
        """Tell the others how the search stands.

        Args:
            runs: How many of its runs wait to be started.
            held: The slots of those that are under way here, whoever started them, with what each was to need.
        """
        self._runs = runs
        self.kept_back = self.kept_back if runs else {}
        self.tell(held)

    def tell(self, held: Held) -> None:
        """Tell the others what the search holds now."""
        self._count()
        before, ours = self._ours, replace(self._ours, held=sum(self._size(slot, estimate) for slot, estimate in held))
        wanted = 0.0 if self._is_shut else min(self._runs * ours.unit, self._most - ours.held)
        ours = replace(ours, wanted=max(0.0, wanted))
        if ours.is_active and not before.is_active:
            ours = replace(ours, served=served_at_entry(ours.served, contending(ours, self._look())))
        self._ours = ours
        self._searches.tell(ours)

    def avoid(self, gpus: Iterable[str]) -> None:
        """Say on which GPUs nothing is started in any case."""
        left = frozenset(place for name, place in self._places.items() if name not in gpus)
        self._ours = replace(self._ours, places=left)

    def close(self) -> None:
        """Nothing more is started."""
        self._searches.close()

    # What may be started

    def shut(self, held: Held) -> None:
        """Nothing can be started now, whatever others do, so that they need not wait."""
        self._is_shut, self.kept_back = True, {}
        self.tell(held)

    def of_placement(self, placement: Placement, held: Held) -> Placement:
        """A placement without the slots that are left to other searches."""
        kept = self._keep_back([(slot, NOTHING_EXPECTED) for slot in placement.slots], held)
        slots = tuple(slot for slot, why in zip(placement.slots, kept, strict=True) if not why)
        return replace(placement, slots=slots, closed={**placement.closed, **self.kept_back})

    def of_packing(self, packing: Packing, estimates: Mapping[str, Estimate], held: Held) -> Packing:
        """The same of what packing decided; ``estimates``: name of a run to what it is expected to need."""
        kept = self._keep_back([(start.slot, estimates[start.run]) for start in packing.starts], held)
        starts = tuple(start for start, why in zip(packing.starts, kept, strict=True) if not why)
        of_gpus = {gpu: why for gpu, why in self.kept_back.items() if gpu}
        waiting = self.kept_back.get('') or packing.waiting
        return replace(packing, starts=starts, closed={**packing.closed, **of_gpus}, waiting=waiting)

    def _keep_back(self, offers: Held, held: Held) -> list[str]:
        """Why each of these slots is left to another search, in words; empty: it is not."""
        self._is_shut = False
        if offers:
            self._ours = replace(self._ours, unit=self._size(*offers[0]))
        self.tell(held)
        found = [Offer(self._places_of(slot), self._size(slot, estimate)) for slot, estimate in offers]
        others = self._look()
        rivals = self._turns.kept_back(self._clock(), self._ours, others, found)
        shares = fair_shares([self._ours, *contending(self._ours, others)])
        kept = ['' if rival is None else _why(rival, shares) for rival in rivals]
        self.kept_back = {
            gpu: why for (slot, _), why in zip(offers, kept, strict=True) if why for gpu in slot.gpus or ('',)
        }
        return kept

    def _look(self) -> Sequence[Contender]:
        return self._searches.others(self._ours.name)

    def _places_of(self, slot: Slot) -> frozenset[str]:
        return frozenset(self._places[gpu] for gpu in slot.gpus or ('',) if gpu in self._places)

    def _size(self, slot: Slot, estimate: Estimate) -> float:
        return max(TINY, sum(self._part(estimate, gpu) for gpu in slot.gpus or ('',) if gpu in self._places))

    def _count(self) -> None:
        """Count what it has held until now."""
        now, ours = self._clock(), self._ours
        served = ours.served + ours.held * max(0.0, now - self._since) / ours.priority
        self._ours, self._since = replace(ours, served=served), now


def _why(rival: Contender, shares: Mapping[str, float]) -> str:
    share = f'{rival.held:.3g} of its share of {shares[rival.name]:.3g}'
    return f'left to your search {rival.who}, which waits and holds {share} (--priority)'
