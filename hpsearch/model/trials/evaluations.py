"""What became of a run that was suggested, as samplers and pruners see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.retries import RetryPolicy, why_again
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.trials.curves import Points, curve_of
from hpsearch.model.trials.suggestion import Suggestion
from hpsearch.model.trials.trial import Evaluation, Objective, TrialState
from hpsearch.model.units import read_number


def evaluation_of(
    suggestion: Suggestion,
    history: RunHistory | None,
    points: Points,
    objectives: Sequence[Objective],
    policy: RetryPolicy,
) -> Evaluation:
    """What became of a run.

    Args:
        suggestion: The run.
        history: Its attempts; None: it has none.
        points: What it has reported.
        objectives: What the search optimises. A run that has finished without a finite number for each has failed.
        policy: Which runs get another attempt: these wait.
    """
    deciding = history.deciding if history else None
    losses = losses_of(deciding.summary, objectives) if deciding and deciding.state is State.FINISHED else None
    return Evaluation(
        suggestion.run,
        suggestion.number,
        suggestion.proposal,
        _state_of(history, policy, has_losses=losses is not None),
        losses or (),
        curve_of(points, objectives[0]) if objectives and points else {},
        deciding.seconds if deciding else None,
    )


def losses_of(summary: Mapping[str, str], objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """The losses of a result; None: one of them is missing, or is no finite number."""
    readings = [read_number(summary.get(each.key, '')) for each in objectives]
    values = [reading.value if reading else math.nan for reading in readings]
    if not all(map(math.isfinite, values)):
        return None
    return tuple(each.loss(value) for each, value in zip(objectives, values, strict=True))


def _state_of(history: RunHistory | None, policy: RetryPolicy, *, has_losses: bool) -> TrialState:
    state = history.state if history else State.PLANNED
    if history is None or state is State.PLANNED or state in ACTIVE:
        return TrialState.WAITING
    if state is State.FINISHED:
        return TrialState.COMPLETE if has_losses else TrialState.FAILED
    if state is State.STOPPED:
        return TrialState.STOPPED
    return TrialState.WAITING if why_again(history, policy) else TrialState.FAILED
