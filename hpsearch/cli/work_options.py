"""How this process works on a search, from the command line."""

from __future__ import annotations

from typing import Any

from hpsearch.backends.queue.own_job import own_job
from hpsearch.cli.options import SearchOptions
from hpsearch.dispatch.context import WorkOptions
from hpsearch.model.retries import RetryPolicy


def work_options_of(
    options: SearchOptions, *, retry_failed: bool = False, retry_cancelled: bool = False, **more: Any
) -> WorkOptions:
    """How this process works on a search.

    Args:
        options: Those of the command line, or of the search that is resumed.
        retry_failed: Whether runs that failed are run again.
        retry_cancelled: Whether runs that somebody cancelled in a queue are run again.
        more: What the verb adds: further fields of :class:`WorkOptions`.
    """
    chosen, in_queue = options.execution, options.cluster.run_cluster
    return WorkOptions(
        in_queue=in_queue,
        is_in_job=not in_queue and own_job() is not None,
        fail_fast=chosen.fail_fast,
        stop_grace=chosen.stop_grace,
        retry=RetryPolicy(chosen.max_attempts, chosen.retries, retry_failed, chosen.retry_timeouts, retry_cancelled),
        only_submits=options.only_submits,
        **more,
    )
