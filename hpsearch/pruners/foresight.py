"""Whether the ranks of runs at an early rung predict those at a later one, found out while a search goes on.

Successive halving is worth nothing where the good runs start slowly. Evidence comes from the runs that came far: if
among them those that were better at a rung were worse at the end, that rung is no place to judge a run. Then the grace
is extended to the next rung. Runs that came far were chosen by the rungs, though, and say little about the others;
therefore a few runs are never stopped, whatever their curves: *explorers*. They cost more where the grace is short,
and there are fewer of them then. What follows depends on the curves and the numbers of runs alone, so that every writer
of a search finds the same.

The rank correlation is Kendall's tau (M. G. Kendall, "A New Measure of Rank Correlation", Biometrika 30, 1938).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import TypeAlias

from hpsearch.model.trials.standings import Standings
from hpsearch.model.trials.trial import Evaluation
from hpsearch.pruners.rungs import Ladder

Pairs: TypeAlias = tuple[tuple[float, float], ...]
"""Of each run its loss at an early rung, and at a late one."""

ENOUGH = 8
"""So many runs have to have reached a rung before it says anything about earlier ones."""

MOST = 40
"""No more runs are compared, the latest ones: comparing takes the square of their number."""

SHARE = 0.06
"""About this share of the steps of a search may go into explorers."""

LEAST_OF_ALL = 0.1
"""The rank correlation that is needed where explorers are counted, which come from all parts of the space."""

LEAST_OF_CHOSEN = 0.0
"""The same of runs that the rungs have chosen. They are much alike, so that noise alone makes it small."""


class Foresight:
    """Says where the first rung has to be.

    Args:
        ladder: The rungs; its grace is the earliest one.
        standings: Of the runs at the rungs.
    """

    def __init__(self, ladder: Ladder, standings: Standings) -> None:
        self._ladder = ladder
        self._standings = standings

    def first_rung(self, runs: Sequence[Evaluation]) -> float:
        """The earliest rung at which a run may be stopped; infinite: none is.

        Args:
            runs: All that have reported something.
        """
        longest = self._longest(runs)
        rungs = [*self._ladder.up_to(longest), *([] if self._ladder.maximum is None else [self._ladder.maximum])]
        if len(rungs) < 2:
            return self._ladder.grace
        reached = self._reached(runs, rungs)
        chosen = [[run for run in each if not self._may_explore(run, longest)] for each in reached]
        first = self._ladder.grace
        for least, each in ((LEAST_OF_CHOSEN, chosen), (LEAST_OF_ALL, reached)):
            first = max(first, self._after_the_last_below(least, rungs, each))
        return first

    def is_explorer(self, run: Evaluation, first: float, runs: Sequence[Evaluation]) -> bool:
        """Whether a run is never to be stopped, while the first rung is this one."""
        return run.number % self._period(first, self._longest(runs)) == 0

    def _may_explore(self, run: Evaluation, longest: float) -> bool:
        """Whether it is an explorer while the grace is as long as it can be: those of a shorter one are among them."""
        return run.number % self._period(longest / self._ladder.factor, longest) == 0

    def _period(self, first: float, longest: float) -> int:
        """One run of so many explores; a power of two, so that a longer grace makes more explorers, and no others."""
        factor = self._ladder.factor
        rungs = math.floor(math.log(longest / first, factor) + 1e-9) if longest > first else 0
        # At each rung one in so many goes on, to a rung that is as many times as far: every rung costs the same.
        steps = first * (1 + rungs * (factor - 1) / factor)
        return int(2 ** round(math.log2(max(longest / steps / SHARE, 1))))

    def _longest(self, runs: Sequence[Evaluation]) -> float:
        """Steps of a whole run, or the most that one has made so far."""
        if self._ladder.maximum is not None:
            return self._ladder.maximum
        return max((self._standings.last_step(run) for run in runs), default=self._ladder.grace)

    def _reached(self, runs: Sequence[Evaluation], rungs: Sequence[float]) -> list[list[Evaluation]]:
        """For each rung the runs that have a standing there, and at all before it."""
        reached, left = [], list(runs)
        for rung in rungs:
            left = [run for run in left if self._standings.at(run, rung) is not None]
            reached.append(left)
        return reached

    def _after_the_last_below(
        self, least: float, rungs: Sequence[float], reached: Sequence[Sequence[Evaluation]]
    ) -> float:
        """The rung after the last one that predicts too little of the furthest rung that enough runs have reached."""
        enough = [place for place, runs in enumerate(reached) if len(runs) >= ENOUGH]
        furthest = enough[-1] if enough else 0
        latest = sorted(reached[furthest], key=lambda run: run.number)[-MOST:]
        late = self._losses(latest, rungs[furthest])
        for place in reversed(range(furthest)):
            if kendall(tuple(zip(self._losses(latest, rungs[place]), late, strict=True))) < least:
                return rungs[place + 1]
        return self._ladder.grace

    def _losses(self, runs: Sequence[Evaluation], rung: float) -> list[float]:
        return [loss for run in runs if (loss := self._standings.at(run, rung)) is not None]


@lru_cache(maxsize=256)
def kendall(pairs: Pairs) -> float:
    """The rank correlation of two numbers, from -1 to 1: ties count for neither side. One pair says nothing: 0."""
    signs = [_sign(one[0], other[0]) * _sign(one[1], other[1]) for one, other in combinations(pairs, 2)]
    return sum(signs) / len(signs) if signs else 0.0


def _sign(one: float, other: float) -> int:
    return (one > other) - (one < other)
