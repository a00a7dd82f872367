"""Which trials are given another seed: those that may still be the best, by what the seeds so far have shown.

The idea is that of racing (Maron and Moore, "Hoeffding Races", NIPS 1993; Birattari et al., "A Racing Algorithm for
Configuring Metaheuristics", GECCO 2002): what is worse than the best beyond doubt is not evaluated again. The test is
the one-sided t test of two means, whose variance is that between the seeds of one trial, pooled over all trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.model.trials.trial import Trial, TrialState

_T95 = (math.inf, 6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812)
"""The 95 % quantile of Student's t distribution, by degrees of freedom."""


@dataclass(frozen=True)
class Spread:
    """How much results differ between seeds.

    Attributes:
        deviations: The pooled standard deviation of each objective.
        freedom: Degrees of freedom: how many results there are beyond the first one of each trial.
    """

    deviations: tuple[float, ...] = ()
    freedom: int = 0

    def margins(self, seeds: int, best_seeds: int) -> tuple[float, ...]:
        """By how much the mean over some seeds has to be worse than that over those of the best, beyond doubt."""
        factor = _quantile(self.freedom) * math.sqrt(1 / seeds + 1 / best_seeds)
        return tuple(each * factor for each in self.deviations)


def results(trial: Trial) -> list[tuple[float, ...]]:
    """The losses of each run that has ended with some."""
    return [each.losses for each in trial.evaluations if each.state is TrialState.COMPLETE]


def spread(trials: Sequence[Trial]) -> Spread:
    """The spread between seeds, from all trials with several; infinite losses are left out."""
    groups = [[each for each in results(trial) if all(map(math.isfinite, each))] for trial in trials]
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    if not freedom:
        return Spread()
    squares = [[_squares(column) for column in zip(*group, strict=True)] for group in several]
    return Spread(tuple(math.sqrt(sum(column) / freedom) for column in zip(*squares, strict=True)), freedom)


def is_hopeless(trial: Trial, finished: Sequence[Trial], known: Spread) -> bool:
    """Whether one of the trials with all seeds is better in every objective, by more than seeds explain.

    A trial that was stopped, or has failed, with one of its seeds is hopeless, too.
    """
    if any(each.state in (TrialState.STOPPED, TrialState.FAILED) for each in trial.evaluations):
        return True
    seeds = len(results(trial))
    return bool(seeds) and any(_is_beaten(trial, seeds, best, known) for best in finished if best is not trial)


def _is_beaten(trial: Trial, seeds: int, best: Trial, known: Spread) -> bool:
    pairs = list(zip(trial.losses, best.losses, strict=True))
    if all(math.isinf(loss) and math.isfinite(other) for loss, other in pairs):
        return True
    if not known.freedom:
        return False
    margins = known.margins(seeds, len(results(best)))
    return all(loss - other > margin for (loss, other), margin in zip(pairs, margins, strict=True))


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((each - mean) ** 2 for each in values)


def _quantile(freedom: int) -> float:
    if freedom < len(_T95):
        return _T95[freedom]
    return 1.645 + 1.6 / freedom  # within 0.01 of the true one
