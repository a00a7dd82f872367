"""From options to a backend: of this machine, or of a queue."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpsearch.backends.base import Backend
from hpsearch.backends.local.backend import LocalBackend
from hpsearch.backends.local.slots import SlotSource
from hpsearch.cli.cluster import PILOT_WARNING, WARNING_MAY_BE_EARLY
from hpsearch.cli.context import ProcessContext
from hpsearch.cli.creation import OpenSearch
from hpsearch.cli.machine import choose_slots
from hpsearch.model.states import SearchState, State

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class BackendContext:
    """What a backend is made of.

    Attributes:
        task: The search.
        place: This process.
        state: The runs so far.
        note: Writes an event to the journal.
        planned: How many runs wait.
        grace: Seconds that runs which are stopped have.
    """

    task: OpenSearch
    place: ProcessContext
    state: SearchState
    note: Callable[[dict[str, Any]], object]
    planned: Callable[[], int]
    grace: float


MakeBackend = Callable[[BackendContext], Backend]


def choose_backend(
    args: argparse.Namespace, place: ProcessContext, job_end: float | None = None
) -> tuple[MakeBackend, bool]:
    """How the backend that was asked for is made, and whether the output of the runs is shown.

    Args:
        args: The options.
        place: This process.
        job_end: When the job we are in ends, where runs that would take longer are not to be started.

    Raises:
        HpsearchError: It cannot be had.
    """
    if args.run_cluster:
        from hpsearch.cli.cluster import choose_system, make_queue_backend

        system = choose_system(args)
        return partial(make_queue_backend, args, system), False
    slots, echo = choose_slots(args, place.wakeup)
    place.stack.callback(slots.close)
    return local_backend(slots, job_end), echo


def local_backend(slots: SlotSource, job_end: float | None = None) -> MakeBackend:
    """How a backend of this machine is made.

    Args:
        slots: Where slots come from.
        job_end: When the job this process is in ends, in seconds since 1970; runs that would take longer are not
            started. None: it is in none that is known to end.
    """

    def make(bench: BackendContext) -> Backend:
        source = slots
        if job_end is not None:
            from hpsearch.backends.local.slots import TimeLimitedSlots

            ends_at = time.monotonic() + job_end - time.time()
            # Our own end is told us so long before it.
            margin = bench.grace + PILOT_WARNING + WARNING_MAY_BE_EARLY
            source = TimeLimitedSlots(slots, ends_at, lambda: durations(bench.state), margin)
        return LocalBackend(bench.task.folder, bench.task.run_cwd, source, bench.place.wakeup)

    return make


def durations(state: SearchState) -> list[float]:
    """How long the runs that finished took, in seconds."""
    ended = (history.deciding for history in state.runs.values() if history.state is State.FINISHED)
    return [each.seconds for each in ended if each is not None and each.seconds is not None]
