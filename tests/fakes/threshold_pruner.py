"""A pruner that stops runs whose loss is above a threshold at one step, so that a test knows which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.model.trials.trial import Evaluation, TrialState


@dataclass(frozen=True)
class ThresholdPruner:
    """Stops what is above a loss at a step.

    Attributes:
        at: The step.
        most: The loss.
        promotes: Once so many runs are complete, the best of those that were stopped there goes on; 0: never.
    """

    at: float
    most: float
    promotes: int = 0

    def why_stop(self, run: Evaluation, others: Sequence[Evaluation]) -> str:
        """Why."""
        loss = run.curve.get(self.at)
        if loss is None or loss <= self.most or run.last_step > self.at:
            return ''
        return f'loss {loss:g} at step {self.at:g}'

    def promotable(self, stopped: Sequence[Evaluation], others: Sequence[Evaluation]) -> Evaluation | None:
        """The best one."""
        complete = sum(each.state is TrialState.COMPLETE for each in others)
        here = [each for each in stopped if each.last_step == self.at]
        is_time = self.promotes and complete >= self.promotes
        return min(here, key=lambda each: each.curve[self.at], default=None) if is_time else None
