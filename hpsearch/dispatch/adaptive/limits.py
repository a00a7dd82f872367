"""Whether an adaptive search has come to its end: how many trials there were, how good they are, what they cost.

Everything follows from the journals, so that all writers and a resumed search agree; only of what runs just now, the
time so far is added by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import State
from hpsearch.model.trials.trial import Objective, Trial, TrialState
from hpsearch.model.units import count_of, duration


@dataclass(frozen=True, slots=True)
class Enough:
    """Why nothing more is started.

    Attributes:
        reason: In words.
        is_success: Whether the search has reached its target, so that what still runs is stopped.
    """

    reason: str
    is_success: bool = False


def total_of(runs: int, trials: int, limits: Limits) -> int | None:
    """Number of runs that a search will have: each trial that is still to be proposed counts as one; None: no limit."""
    return None if limits.max_trials is None else runs + max(0, limits.max_trials - trials)


def enough_by_results(
    trials: Sequence[Trial],
    limits: Limits,
    objectives: Sequence[Objective],
    was_cancelled: Callable[[str], bool] = lambda run: False,
) -> Enough | None:
    """Whether the results are a reason to start nothing more: the target was reached, or too many trials failed.

    Args:
        trials: All trials so far.
        limits: What there may be.
        objectives: What is optimised; the target is one of the first.
        was_cancelled: Whether a run has no result since somebody did not want it: that is no failure.
    """
    if limits.target is not None and objectives:
        target = objectives[0].loss(limits.target)
        reached = next((trial for trial in trials if trial.losses and trial.losses[0] <= target), None)
        if reached is not None:
            value = objectives[0].value(reached.losses[0])
            run = reached.evaluations[0].run
            return Enough(f'the target was reached: {objectives[0].key} is {value:g} in {run}', is_success=True)
    if limits.max_broken is None:
        return None
    failed = (trial for trial in trials if trial.state is TrialState.FAILED)
    broken = sum(not was_cancelled(trial.evaluations[-1].run) for trial in failed)
    if broken >= limits.max_broken:
        return Enough(f'{count_of(broken, "trial has", "trials have")} failed (--max_broken={limits.max_broken})')
    return None


def enough_by_budget(spent: float, limits: Limits) -> Enough | None:
    """Whether the budget is used up; ``spent`` in seconds."""
    if limits.budget is None or spent < limits.budget:
        return None
    return Enough(f'the budget is used up: {duration(spent)} of {duration(limits.budget)}')


class Spending:
    """What the attempts of a search have cost: seconds, times GPUs where they have some.

    Args:
        state: What all journals say.
        gpus: How many GPUs a job in a queue has, which chooses them itself.
        wall: Seconds since 1970.
    """

    def __init__(self, state: SearchState, gpus: int, wall: Callable[[], float]) -> None:
        self._state = state
        self._gpus = gpus
        self._wall = wall
        self._summed = (-1, -1.0)
        self._sum = 0.0

    def seconds(self) -> float:
        """All of it, up to now, to the second."""
        now = self._wall()
        if self._summed != (self._state.folded, now // 1):
            attempts = (each for history in self._state.runs.values() for each in history.by_number.values())
            self._sum = sum(self._cost(each, now) for each in attempts)
            self._summed = (self._state.folded, now // 1)
        return self._sum

    def _cost(self, attempt: Attempt, now: float) -> float:
        """Of one attempt; results that were taken from elsewhere cost nothing."""
        seconds = attempt.seconds or 0.0
        if attempt.state is State.RUNNING and not attempt.is_in_queue:
            seconds = max(0.0, now - (attempt.claimed_at or now))
        return seconds * max(1, len(attempt.gpus) or (self._gpus if attempt.is_in_queue else 1))
