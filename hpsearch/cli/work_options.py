"""How this process works on a search, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpsearch.cli.options import SearchOptions
from hpsearch.model.retries import RetryPolicy


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How this process works on a search.

    Attributes:
        in_queue: Whether its runs are jobs of a queue.
        fail_fast: Stop when the first so many ended attempts failed alike; 0: never.
        stop_grace: Seconds between TERM and KILL for runs that are stopped.
        retry: Which runs get another attempt.
        only_submits: Leave as soon as a queue has all it accepts.
        echo: The output of a run is shown.
        waits_for_others: Stay until the attempts of other writers have ended.
        declared_dead: Hosts that the user said are dead.
        reuse: Earlier searches whose results are taken.
        stop_at_once: End what runs instead of starting anything.
        job_seconds: How long the job we work in lasts, or None.
    """

    in_queue: bool
    fail_fast: int
    stop_grace: float
    retry: RetryPolicy
    only_submits: bool = False
    echo: bool = False
    waits_for_others: bool = True
    declared_dead: tuple[str, ...] = ()
    reuse: tuple[str, ...] = ()
    stop_at_once: bool = False
    job_seconds: float | None = None


def work_options_of(options: SearchOptions, **more: Any) -> WorkOptions:
    """How this process works on a search, from the options and what the verb says beside them."""
    retry = RetryPolicy(
        options.execution.max_attempts,
        options.execution.retries,
        more.pop('retry_failed', False),
        options.execution.retry_timeouts,
        more.pop('retry_cancelled', False),
    )
    return WorkOptions(
        in_queue=options.cluster.run_cluster,
        fail_fast=options.execution.fail_fast,
        stop_grace=options.execution.stop_grace,
        retry=retry,
        only_submits=options.only_submits,
        **more,
    )
