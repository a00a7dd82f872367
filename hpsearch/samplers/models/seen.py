"""Which trials a model sees: all of a small search, of a large one the best and the most recent."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.model.trials.pareto import front
from hpsearch.model.trials.trial import Trial, TrialState

BEST_SHARE = 0.25
"""Of the trials that a model sees, so many are the best of all; the others are the most recent ones."""


def seen(trials: Sequence[Trial], most: int | None) -> list[Trial]:
    """The trials that a model is made from, by number: those that wait or run, and of the others at most so many.

    What has failed is left out, as there is nothing to learn from it. The densities of TPE depend little on what is
    old and mediocre: old trials have a small weight in them, and of the good ones no more than 25 count.

    Args:
        trials: All trials, by number.
        most: How many of those that have ended; None: all.
    """
    ended = [each for each in trials if each.state in (TrialState.COMPLETE, TrialState.STOPPED)]
    if most is not None and len(ended) > most:
        best = _best(ended, int(BEST_SHARE * most))
        taken = {each.number for each in best}
        ended = best + [each for each in ended if each.number not in taken][len(best) - most :]
    chosen = {each.number for each in ended}
    return [each for each in trials if each.number in chosen or each.state is TrialState.WAITING]


def _best(ended: Sequence[Trial], most: int) -> list[Trial]:
    """With several objectives the most recent ones of the Pareto front."""
    results = [(each.losses, each) for each in ended]
    measured = [(losses, each) for losses, each in results if losses]
    if measured and len(measured[0][0]) > 1:
        places = front([losses for losses, _ in measured])
        return [measured[place][1] for place in places][-most:]
    return [each for _, each in sorted(measured, key=lambda pair: pair[0])[:most]]
