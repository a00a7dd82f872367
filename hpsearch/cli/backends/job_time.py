"""Whether jobs that work on a search are long enough for its runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hpsearch.cli.options import SearchOptions
from hpsearch.model.placement import why_too_short
from hpsearch.model.states import State

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.model.history.search_state import SearchState

PILOT_WARNING = 30
"""Seconds, beside their grace, before the time limit at which a job that works on the search ends its runs."""


def pilot_margin(stop_grace: float) -> int:
    """Seconds before its time limit at which a job that works on a search ends its runs."""
    return math.ceil(stop_grace) + PILOT_WARNING


def pilot_note(options: SearchOptions, system: BatchSystem, state: SearchState | None = None) -> str:
    """Why jobs that work on a search may be too short for its runs, in a sentence; empty: they are not.

    Args:
        options: Of the search.
        system: The queue.
        state: What is known of its runs; None: nothing yet.
    """
    durations = [] if state is None else durations_of(state)
    margin = pilot_margin(options.execution.stop_grace)
    return '' if system.time_limit is None else why_too_short(system.time_limit, durations, margin=margin)


def durations_of(state: SearchState) -> list[float]:
    """How long the runs that finished took, in seconds."""
    ended = (history.deciding for history in state.runs.values() if history.state is State.FINISHED)
    return [each.seconds for each in ended if each is not None and each.seconds is not None]
