"""Hyperband: several brackets of asynchronous successive halving, each with a longer grace than the one before.

The brackets are those of Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar ("Hyperband: A Novel Bandit-Based Approach
to Hyperparameter Optimization", JMLR 18, 2018): each gets about the same number of steps, so that there are the more
runs in it the shorter its grace is. Within a bracket nobody waits, as in ASHA.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from hpsearch.model.trials.trial import Evaluation
from hpsearch.pruners.asha import Asha
from hpsearch.pruners.rungs import Ladder


class Hyperband:
    """Brackets of successive halving; the number of a run decides in which one it is.

    Args:
        ladder: The rungs of the first bracket; it has a maximum.
    """

    def __init__(self, ladder: Ladder) -> None:
        assert ladder.maximum is not None
        self._ladders = list(_brackets(ladder, ladder.maximum))
        self._brackets = [Asha(each, adapts=False) for each in self._ladders]
        self._weights = [_runs_per_step(each, ladder.maximum) for each in self._ladders]

    def bracket(self, run: Evaluation) -> int:
        """In which bracket a run is, from 0, that with the shortest grace."""
        return Random(f'bracket {run.number}').choices(range(len(self._brackets)), self._weights)[0]

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """See :class:`hpsearch.pruners.base.Pruner`."""
        bracket = self.bracket(run)
        return self._brackets[bracket].why_stop(run, self._members(bracket, others))

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """See :class:`hpsearch.pruners.base.Pruner`: from the bracket with the longest grace that has one."""
        for number, bracket in reversed(list(enumerate(self._brackets))):
            run = bracket.promotable(self._members(number, stopped), self._members(number, others))
            if run is not None:
                return run
        return None

    def _members(self, bracket: int, runs: Sequence[Evaluation]) -> list[Evaluation]:
        return [each for each in runs if self.bracket(each) == bracket]


def _brackets(ladder: Ladder, maximum: float) -> list[Ladder]:
    """A bracket for each rung, and one in which no run is stopped."""
    return [Ladder(rung, ladder.factor, maximum) for rung in (*ladder.up_to(maximum), maximum)]


def _runs_per_step(ladder: Ladder, maximum: float) -> float:
    """How many runs a bracket makes of the steps of one whole run, when one in ``factor`` goes on at each rung."""
    rungs = [*ladder.up_to(maximum), maximum]
    shares = [ladder.factor**-place for place in range(len(rungs))]
    steps = [upper - lower for lower, upper in zip([0.0, *rungs], rungs, strict=False)]
    return maximum / math.fsum(share * count for share, count in zip(shares, steps, strict=True))
