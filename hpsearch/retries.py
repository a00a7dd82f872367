"""Whether a run that ended gets another attempt, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.states import Attempt, State


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a run is tried.

    Attributes:
        max_attempts: Attempts that may be lost before the run counts as lost; nothing else counts.
        retries: How often a failed run is run again.
    """

    max_attempts: int = 3
    retries: int = 0


def again(attempts: Sequence[Attempt], policy: RetryPolicy) -> str:
    """Why a run gets another attempt, in words; empty: it does not.

    Args:
        attempts: All its attempts, in order; the last has ended.
        policy: What counts.
    """
    last = attempts[-1]
    if any(attempt.state is State.FINISHED for attempt in attempts):
        return ''
    if last.state is State.INTERRUPTED:
        return f'interrupted ({last.reason})'
    if last.state is State.LOST and _count(attempts, State.LOST) < policy.max_attempts:
        return f'lost ({last.reason})'
    if last.state is State.FAILED and _count(attempts, State.FAILED) <= policy.retries:
        return f'failed ({last.reason})'
    return ''


def _count(attempts: Sequence[Attempt], state: State) -> int:
    return sum(attempt.state is state for attempt in attempts)
