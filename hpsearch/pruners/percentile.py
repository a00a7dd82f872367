"""Stopping runs that are worse than most others were at the same step: the median stopping rule and its relatives.

The rule is that of Golovin, Solnik, Moitra, Kochanski, Karro and Sculley ("Google Vizier: A Service for Black-Box
Optimization", KDD 2017): a run is stopped at a step if its best loss until there is worse than the median of what the
others had reported until that step on average. Here all others count that came as far, whether they have ended or not,
so that it works before the first one has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hpsearch.model.trials.standings import Standings, mean_of
from hpsearch.model.trials.trial import Curve, Evaluation


class Percentile:
    """Lets a share of the runs go on at every step.

    Args:
        share: How many percent of the runs go on, between 0 and 100; 50 is the median stopping rule.
        grace: No run is stopped before this step.
        least: Nor before so many others came as far.
    """

    def __init__(self, share: float = 50, grace: float = 1, least: int = 5) -> None:
        self._share = share
        self._grace = grace
        self._least = max(least, 2)
        self._bests = Standings()
        self._means = Standings(mean_until)

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """See :class:`hpsearch.pruners.base.Pruner`."""
        step = self._bests.last_step(run)
        best = self._bests.at(run, step) if step >= self._grace else None
        means = self._means.all_at([each for each in others if each.run != run.run], step) if best is not None else []
        if best is None or len(means) < self._least or best <= (least := self._limit(means)):
            return ''
        return f'{best:.4g} by step {step:g} is worse than {least:.4g}, which {self._share:g} % of the runs had reached'

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """None: what was worse than most others once is not compared again."""
        return None

    def _limit(self, means: list[float]) -> float:
        """The worst loss with which a run goes on: between two runs it is interpolated."""
        finite = sorted(each for each in means if math.isfinite(each))
        if len(finite) < self._least:
            return math.inf
        place = (len(finite) - 1) * self._share / 100
        low = min(int(place), len(finite) - 2)
        return finite[low] + (finite[low + 1] - finite[low]) * (place - low)


def mean_until(curve: Curve, step: float) -> float | None:
    """The mean of what was reported up to a step, infinite if something was no number; None: there was no report."""
    losses = [math.inf if math.isnan(loss) else loss for each, loss in curve.items() if each <= step]
    return mean_of(losses) if losses else None
