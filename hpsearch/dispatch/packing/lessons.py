"""What attempts tell of what runs need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hpsearch.model.configuration import Params
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM
from hpsearch.model.states import ENDED, NEVER_STARTED, REUSED, State
from hpsearch.model.usage.estimate import Estimate, Guess
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.packing.prediction.observation import Observation

MORE_EXPECTED, MORE_AT_MOST = 1.1, 1.3
"""Factors of the memory that was not enough for a run: what it is expected to need, and what it should not exceed."""


@dataclass(frozen=True, slots=True)
class RunningAttempt:
    """An attempt that is under way.

    Attributes:
        run: Its run.
        number: Its number.
        params: The parameters of its run.
        seconds: How long it has been running.
        measured: What it has used so far.
    """

    run: str
    number: int
    params: Params
    seconds: float
    measured: Measured = NOTHING_MEASURED

    @property
    def observation(self) -> Observation:
        """What it tells so far."""
        is_settled = self.measured.settled_after is not None
        return Observation(self.run, self.params, self.measured, self.seconds, is_settled=is_settled)


def observation(attempt: Attempt, params: Params) -> Observation | None:
    """What an attempt that has ended tells; None: nothing."""
    if attempt.cause in (*NEVER_STARTED, REUSED):
        return None
    measured, is_finished = measured_of(attempt), attempt.state is State.FINISHED
    return Observation(
        attempt.run,
        params,
        measured,
        attempt.seconds,
        is_finished=is_finished,
        is_settled=is_finished or measured.settled_after is not None,
        ran_out_of=ran_out_of(attempt),
        ran_out_of_host=ran_out_of_host(attempt),
    )


def measured_of(attempt: Attempt) -> Measured:
    """What an attempt was measured to use; earlier versions journaled its peak on all of its GPUs together."""
    measured = attempt.measured
    if measured.gpu_memory is None and attempt.peak_memory is not None and attempt.gpus:
        return replace(measured, gpu_memory=attempt.peak_memory // len(attempt.gpus))
    return measured


def ran_out_of(attempt: Attempt) -> int | None:
    """MiB that a GPU did not have for an attempt, as far as is known: it needs more. None: it did not run out of it."""
    if attempt.cause != GPU_OOM:
        return None
    facts = attempt.facts
    room = facts.get('had') or (facts.get('gpu_total') if facts.get('was_alone') else None) or 0
    return max(int(room), measured_of(attempt).gpu_memory or 0) or None


def ran_out_of_host(attempt: Attempt) -> int | None:
    """The same of the memory of the host."""
    if attempt.cause != HOST_OOM:
        return None
    return max(int(attempt.facts.get('memory_limit') or 0), attempt.measured.host_memory or 0) or None


def by_its_own(estimate: Estimate, attempts: Iterable[Attempt]) -> Estimate:
    """What a run is expected to need, given what its own earlier attempts show beyond what all runs together tell."""
    ended = [attempt for attempt in attempts if attempt.state in ENDED]
    if not ended:
        return estimate
    measured = [measured_of(attempt) for attempt in ended]
    used = [each.gpu_memory for each in measured if each.gpu_memory is not None]
    on_host = [each.host_memory for each in measured if each.host_memory is not None]
    return replace(
        estimate,
        memory=_at_least(estimate.memory, used, [bound for each in ended if (bound := ran_out_of(each))]),
        host_memory=_at_least(
            estimate.host_memory, on_host, [bound for each in ended if (bound := ran_out_of_host(each))]
        ),
    )


def _at_least(guess: Guess | None, used: Sequence[float], not_enough: Sequence[float]) -> Guess | None:
    """A guess that is no lower than what was used, and higher than what was not enough."""
    low = max([*used, *(MORE_EXPECTED * bound for bound in not_enough)], default=None)
    high = max([*used, *(MORE_AT_MOST * bound for bound in not_enough)], default=None)
    if low is None or high is None:
        return guess
    if guess is None:
        return Guess(low, high, is_known=False)
    return replace(guess, expected=max(guess.expected, low), high=max(guess.high, high))
