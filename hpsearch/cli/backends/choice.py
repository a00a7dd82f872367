"""Which backend options request, and how it is made."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hpsearch.arguments.command import uses_gpus
from hpsearch.backends.queue.own_job import own_job
from hpsearch.cli.backends.jobs import queue_backend
from hpsearch.cli.backends.queue_system import installed_system, requested_system
from hpsearch.cli.backends.slots import slots_for
from hpsearch.cli.backends.this_machine import local_backend
from hpsearch.cli.context import MakeBackend, ProcessContext
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.packing import ineffective, local_policies
from hpsearch.model.configuration import Configuration
from hpsearch.model.retries import JobTime

log = logging.getLogger('hpsearch')


def choose_backend(
    options: SearchOptions, configuration: Configuration, context: ProcessContext, job_time: JobTime | None = None
) -> tuple[MakeBackend, bool]:
    """How the backend that was requested is made, and whether the output of the runs is shown.

    Args:
        options: Of the search.
        configuration: Of the search.
        context: This process.
        job_time: The time of the job of this process, if runs that would take longer are not to be started; or None.

    Raises:
        HpsearchError: It is not available.
    """
    if options.cluster.run_cluster:
        installed_system(options)
        _warn(ineffective.in_a_queue(options))
        return queue_backend(options, requested_system(options, configuration)[0]), False
    slots, echo, shares = slots_for(options, context.wakeup)
    context.stack.callback(slots.close)
    if options.cluster.runs_per_job and own_job():
        return local_backend(slots, job_time, shares=shares), echo  # a job has its part of the machine already
    how = {'packs': slots.packs, 'assigns_gpus': slots.assigns_gpus, 'names_gpus': uses_gpus(configuration)}
    _warn(ineffective.on_this_machine(options, **how))
    policy, nice = local_policies.neighbour_policy(options), options.neighbours.nice
    return local_backend(slots, job_time, policy, nice, shares), echo


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        log.warning('%s', sentence)
