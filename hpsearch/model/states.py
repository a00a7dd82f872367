"""The life of an attempt as a table: its states, and the events that lead from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

Event = Mapping[str, Any]


class State(str, Enum):
    """Where a run, or one attempt of it, stands."""

    PLANNED = 'planned'
    """Waits for a slot."""
    CLAIMED = 'claimed'
    """A writer has taken it and is about to start it."""
    SUBMITTED = 'submitted'
    """It is in a queue."""
    RUNNING = 'running'
    """Its process runs."""
    FINISHED = 'finished'
    """A summary of this attempt says so; without a summary file: exit status 0."""
    FAILED = 'failed'
    """It ended otherwise, by its own doing."""
    STOPPED = 'stopped'
    """It was stopped early because its metrics were not good enough."""
    INTERRUPTED = 'interrupted'
    """It was ended from outside: the user's stop, preemption, a failed node."""
    LOST = 'lost'
    """It is gone without a trace of how it ended."""
    UNKNOWN = 'unknown'
    """It started on a host whose processes cannot be listed."""

    def __str__(self) -> str:
        return self.value


END_ORDER = (State.LOST, State.INTERRUPTED, State.STOPPED, State.FAILED, State.FINISHED)
"""The ends of an attempt; of two reports of one end the later in this order holds (evidence beats its absence).

Of two reports of the same end, the one whose summary was read again more often holds.
"""

TIMEOUT = 'timeout'
"""Cause of an end: the time limit of its job."""

CANCELLED = 'cancelled'
"""Cause of an end: ``hpsearch cancel`` asked for it, or its job was cancelled outside hpsearch."""

REUSED = 'reused'
"""Cause of an end: the result of an earlier search was taken."""

PRUNED = 'pruned'
"""Cause of an end: it was stopped because of its metrics."""

STOP = 'stop'
"""Cause of an end: this hpsearch was asked to stop."""

YIELDED = 'yielded'
"""Cause of an end: it made room for others on its machine."""

ON_REQUEST = (STOP, YIELDED)
"""Causes of ends that hpsearch itself asked for."""

NEVER_STARTED = ('abandoned', 'fenced', 'start', 'impossible', 'refused')
"""Causes of attempts whose script never ran: they leave no logs and no summary."""

ENDED = frozenset(END_ORDER)
ACTIVE = frozenset((State.CLAIMED, State.SUBMITTED, State.RUNNING, State.UNKNOWN))

TRANSITIONS: Mapping[tuple[State, str], frozenset[State]] = {
    (State.PLANNED, 'claimed'): frozenset((State.CLAIMED,)),
    (State.CLAIMED, 'submitted'): frozenset((State.SUBMITTED,)),
    (State.CLAIMED, 'running'): frozenset((State.RUNNING,)),
    (State.SUBMITTED, 'running'): frozenset((State.RUNNING,)),
    (State.CLAIMED, 'adopted'): frozenset((State.RUNNING, State.SUBMITTED)),
    (State.SUBMITTED, 'adopted'): frozenset((State.RUNNING, State.SUBMITTED)),
    (State.RUNNING, 'adopted'): frozenset((State.RUNNING,)),
    (State.CLAIMED, 'ended'): ENDED,
    (State.SUBMITTED, 'ended'): ENDED,
    (State.RUNNING, 'ended'): ENDED,
    (State.LOST, 'ended'): ENDED - {State.LOST},
    (State.INTERRUPTED, 'ended'): frozenset((State.FINISHED,)),
}
"""(state, event) to the states it may lead to; what is not here is illegal for the writer that owns the attempt.

An end follows an end where the attempt was given up without a record, which appeared later.
"""

_PROGRESS = (State.PLANNED, State.CLAIMED, State.SUBMITTED, State.RUNNING, *END_ORDER)

RANK: Mapping[State, int] = {
    **{state: rank for rank, state in enumerate(_PROGRESS)},
    State.UNKNOWN: _PROGRESS.index(State.SUBMITTED),  # its evidence said so, and whatever is reported later says more
}
"""State to how far it is: of two reports of an attempt the one that says more holds."""

_STATES = {state.value: state for state in State}

_TARGETS = {
    'claimed': State.CLAIMED,
    'submitted': State.SUBMITTED,
    'running': State.RUNNING,
    'adopted': State.RUNNING,
}

ATTEMPT_EVENTS = frozenset((*_TARGETS, 'ended'))
"""The events that move an attempt."""


def target_of(event: Event) -> State:
    """The state an event leads to."""
    if event['event'] == 'ended':
        return _STATES[event['state']]
    return State.SUBMITTED if event.get('queued') else _TARGETS[event['event']]
