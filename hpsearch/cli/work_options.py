"""How this process works on a search, read from the command line."""

from __future__ import annotations

import argparse
from typing import Any

from hpsearch.cli.cluster import own_job
from hpsearch.dispatch.context import WorkOptions
from hpsearch.model.retries import RetryPolicy


def work_options_of(
    args: argparse.Namespace, *, retry_failed: bool = False, retry_cancelled: bool = False, **more: Any
) -> WorkOptions:
    """How this process works on a search.

    Args:
        args: The options.
        retry_failed: Whether runs that failed are run again.
        retry_cancelled: Whether runs that somebody cancelled in a queue are run again.
        more: What the verb says beside them: further fields of :class:`WorkOptions`.
    """
    retry = RetryPolicy(args.max_attempts, args.retries, retry_failed, args.retry_timeouts, retry_cancelled)
    return WorkOptions(
        in_queue=args.run_cluster,
        is_in_job=not args.run_cluster and own_job() is not None,
        fail_fast=args.fail_fast,
        stop_grace=args.stop_grace,
        retry=retry,
        only_submits=args.run_cluster and args.submit_only,
        **more,
    )
