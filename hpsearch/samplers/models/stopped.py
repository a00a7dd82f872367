"""What a model learns from trials that were stopped: the loss that they would have come to, as far as others tell.

A loss after three steps is no loss after a hundred. A model that is told it all the same learns to start fast, and not
to end well. BOHB (Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML
2018) learns from the largest budget alone that enough trials have reached. Here, too, trials that were stopped before
it are left out; and each of the others that were stopped is taken on from there as those went on that had reached about
the same loss at the same step.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from hpsearch.model.trials.standings import Standings, mean_of
from hpsearch.model.trials.trial import Evaluation, Trial, TrialState

NEAREST = 5
"""A trial is taken on as so many others went on, those with the nearest losses."""

FACTOR = 3
"""Steps are compared at powers of this."""

Gains: TypeAlias = list[tuple[float, float]]
"""Of the trials that went on from a level: loss there, and how much smaller it became; sorted."""


class Continuation:
    """Turns trials that were stopped into complete ones, with the losses that they would have come to.

    Args:
        least: So many trials are enough to learn from.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._standings = Standings()

    def of(self, trials: Sequence[Trial]) -> list[Trial]:
        """The same trials without those that were stopped too early; the others that were stopped are complete.

        Args:
            trials: All trials; they have one objective.
        """
        levels = {trial.number: _level(_run(trial).last_step) for trial in trials if _is_stopped(trial)}
        early = self._too_early([trial for trial in trials if trial.losses], list(levels.values())) if levels else 0.0
        kept = [trial for trial in trials if levels.get(trial.number, math.inf) >= early]
        ends = self._ends(kept, levels)
        return [_ended(trial, ends[trial.number]) if trial.number in levels else trial for trial in kept]

    def _too_early(self, complete: Sequence[Trial], levels: Sequence[float]) -> float:
        """The level that a trial has to have reached: the highest one that enough have, above the lowest of all."""
        above = sorted(set(levels))[1:]
        enough = [level for level in above if len(complete) + sum(each >= level for each in levels) >= self._least]
        return max(enough, default=above[0] if above else math.inf)

    def _ends(self, trials: Sequence[Trial], levels: Mapping[int, float]) -> dict[int, float]:
        """The loss of each trial that has ended, those that came far first: others are taken on as these went on."""
        ends = {trial.number: trial.losses[0] for trial in trials if trial.losses}
        went_on = [trial for trial in trials if trial.number in ends and _run(trial).curve]
        stopped = [trial for trial in trials if trial.number in levels]
        for level in sorted({levels[trial.number] for trial in stopped}, reverse=True):
            here = [trial for trial in stopped if levels[trial.number] == level]
            gains = self._gains(went_on, ends, level)
            ends.update({trial.number: self._end(trial, gains, level) for trial in here})
            went_on += here
        return ends

    def _gains(self, went_on: Sequence[Trial], ends: Mapping[int, float], level: float) -> Gains:
        gains: Gains = []
        for trial in went_on:
            loss = self._standings.at(_run(trial), level)
            if loss is not None and math.isfinite(loss - ends[trial.number]):
                gains.append((loss, loss - ends[trial.number]))
        return sorted(gains)

    def _end(self, trial: Trial, gains: Gains, level: float) -> float:
        loss = self._standings.at(_run(trial), level)
        if loss is None or not math.isfinite(loss):
            return min(_run(trial).curve.values()) if loss is None else math.inf
        place = bisect_left(gains, (loss, -math.inf))
        around = gains[max(place - NEAREST, 0) : place + NEAREST]
        nearest = sorted(around, key=lambda each: abs(each[0] - loss))[:NEAREST]
        return loss - (mean_of([gain for _, gain in nearest]) if nearest else 0.0)


def _run(trial: Trial) -> Evaluation:
    return trial.evaluations[-1]


def _is_stopped(trial: Trial) -> bool:
    return trial.state is TrialState.STOPPED and bool(_run(trial).curve)


def _level(step: float) -> float:
    """The last power of the factor that a step has reached."""
    if step <= 0:
        return step
    return float(FACTOR ** math.floor(math.log(step, FACTOR) + 1e-9))


def _ended(trial: Trial, loss: float) -> Trial:
    ended = replace(_run(trial), state=TrialState.COMPLETE, losses=(loss,))
    return replace(trial, evaluations=[*trial.evaluations[:-1], ended])
