"""Asynchronous successive halving (ASHA), with a grace that grows when early ranks turn out to predict nothing.

The algorithm is that of Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar ("A System for
Massively Parallel Hyperparameter Tuning", MLSys 2020): at rungs whose steps grow geometrically, the best one in so
many runs goes on, and no rung waits until it is full. Here a run has to belong to the best at the last rung that it has
reached for as long as it goes on: when better ones come, it is stopped between two rungs, too. So nothing has to be
remembered of when it was judged, and steps are saved that the published algorithm spends on those who came first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.model.trials.standings import Standings
from hpsearch.model.trials.trial import Evaluation
from hpsearch.model.units import count_of
from hpsearch.pruners.foresight import Foresight
from hpsearch.pruners.rungs import Ladder


@dataclass(frozen=True, slots=True)
class Place:
    """How a run compares at the last rung that it has reached.

    Attributes:
        rung: Step of the rung.
        loss: What it had reached there.
        better: How many runs were better there.
        of: How many runs have reached it, this one included.
        kept: How many of these go on; never less than one.
    """

    rung: float
    loss: float
    better: int
    of: int
    kept: int

    @property
    def goes_on(self) -> bool:
        """Whether it belongs to the best; what has reported no number does so only while nothing has."""
        return self.better < (self.kept if math.isfinite(self.loss) else 1)

    @property
    def is_clear(self) -> bool:
        """Whether it belongs to the best and will for a while: it is in the better half of them."""
        return self.goes_on and self.better <= (self.kept - 1) / 2


class Asha:
    """Successive halving that waits for nobody.

    Args:
        ladder: The rungs.
        adapts: Whether the first rung moves up while early ranks do not predict late ones.
    """

    def __init__(self, ladder: Ladder, *, adapts: bool = True) -> None:
        self._ladder = ladder
        self._standings = Standings()
        self._foresight = Foresight(ladder, self._standings) if adapts else None

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """See :class:`hpsearch.pruners.base.Pruner`."""
        place = self._place(run, others)
        if place is None or place.goes_on or self._is_spared(run, place.rung, [*_without(run, others), run]):
            return ''
        better = count_of(place.better, f'of {place.of} runs was', f'of {place.of} runs were')
        kept = place.kept if place.kept > 1 else 'one'
        return f'{better} better by step {place.rung:g}, where the best {kept} may go on'

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """See :class:`hpsearch.pruners.base.Pruner`: the one that came furthest, and of these the best."""
        first = self._ladder.grace if self._foresight is None else self._foresight.first_rung(others)
        by_rung: dict[float, list[tuple[float, int, Evaluation]]] = {}
        for run in stopped:
            rung, loss = self._standing(run)
            if rung >= first and loss is not None:
                by_rung.setdefault(rung, []).append((loss, run.number, run))
        for rung in sorted(by_rung, reverse=True):
            run = min(by_rung[rung])[2]
            place = self._place(run, others)
            if place is not None and place.is_clear:
                return run
        return None

    def _standing(self, run: Evaluation) -> tuple[float, float | None]:
        """The last rung that a run has reached, minus infinity if there is none, and its loss there."""
        rung = max(self._ladder.up_to(self._standings.last_step(run)), default=-math.inf)
        return rung, self._standings.at(run, rung)

    def _place(self, run: Evaluation, others: Sequence[Evaluation]) -> Place | None:
        rung, loss = self._standing(run)
        if loss is None:
            return None
        losses = self._standings.all_at(_without(run, others), rung)
        count = len(losses) + 1
        return Place(rung, loss, sum(each < loss for each in losses), count, max(1, int(count // self._ladder.factor)))

    def _is_spared(self, run: Evaluation, rung: float, runs: Sequence[Evaluation]) -> bool:
        if self._foresight is None:
            return False
        first = self._foresight.first_rung(runs)
        return rung < first or self._foresight.is_explorer(run, first, runs)


def _without(run: Evaluation, others: Sequence[Evaluation]) -> list[Evaluation]:
    return [each for each in others if each.run != run.run]
