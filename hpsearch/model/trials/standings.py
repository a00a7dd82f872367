"""What runs had reached by a step, whether or not they reported at that very step.

A run has reached a step once it has reported it or a later one, and stands there with the best loss that it had
reported up to it: of a run that reports at 9 and at 12, the standing at 10 is there when 12 arrives, and is the best
until 9. A run whose first report is later has none. A run that is complete has reached every step, since nothing more
comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from hpsearch.model.trials.trial import Curve, Evaluation, TrialState


@dataclass(slots=True)
class _Reading:
    """What is known of the curve of one run, for as long as it does not grow."""

    curve: Curve
    points: int
    last: float
    by_step: dict[float, float | None] = field(default_factory=dict)


def best_until(curve: Curve, step: float) -> float | None:
    """The smallest loss that was reported up to a step, infinite if none was a number; None: there was no report."""
    losses = [math.inf if math.isnan(loss) else loss for each, loss in curve.items() if each <= step]
    return min(losses, default=None)


def mean_of(losses: Sequence[float]) -> float:
    """The mean of losses, of which there is one at least; also of such whose sum is too large for a number."""
    try:
        return fmean(losses)
    except OverflowError:
        return sum(each / len(losses) for each in losses)


class Standings:
    """What runs had reached by each step.

    It remembers what it has worked out of a curve until that curve grows, and nothing that changes an answer.

    Args:
        measure: From a curve and a step to the standing of the run there; None: it has none.
    """

    def __init__(self, measure: Callable[[Curve, float], float | None] = best_until) -> None:
        self._measure = measure
        self._readings: dict[str, _Reading] = {}

    def last_step(self, run: Evaluation) -> float:
        """The last step that a run reported; minus infinity: none."""
        return self._reading(run).last

    def at(self, run: Evaluation, step: float) -> float | None:
        """The standing of a run at a step; None: it has none there."""
        reading = self._reading(run)
        if reading.last < step and run.state is not TrialState.COMPLETE:
            return None
        if step not in reading.by_step:
            reading.by_step[step] = self._measure(run.curve, step)
        return reading.by_step[step]

    def all_at(self, runs: Sequence[Evaluation], step: float) -> list[float]:
        """The standings of all that have one at a step."""
        return [loss for run in runs if (loss := self.at(run, step)) is not None]

    def _reading(self, run: Evaluation) -> _Reading:
        reading = self._readings.get(run.run)
        if reading is None or reading.curve is not run.curve or reading.points != len(run.curve):
            reading = self._readings[run.run] = _Reading(run.curve, len(run.curve), run.last_step)
        return reading
