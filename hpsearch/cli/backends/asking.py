"""What polls the jobs of a queue system, and whether the job of another writer has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpsearch.cli.backends.queue_system import system_named
from hpsearch.cli.options import SearchOptions
from hpsearch.host.signals import Wakeup

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.poller import JobPoller


def open_poller(system: BatchSystem, interval: float, wakeup: Wakeup) -> tuple[BackgroundRunner, JobPoller]:
    """What executes the commands of a queue system, and what polls its jobs."""
    from hpsearch.backends.queue.commands import BackgroundRunner
    from hpsearch.backends.queue.poller import JobPoller

    runner = BackgroundRunner(system.environment(os.environ), wakeup.poke)
    return runner, JobPoller(system, runner, interval)


class JobAsker:
    """Says whether the queue job of another writer has ended; a queue is queried only when there is such a question.

    Args:
        options: Of the search.
        wakeup: Woken by answers.
    """

    def __init__(self, options: SearchOptions, wakeup: Wakeup) -> None:
        self._options = options
        self._wakeup = wakeup
        self._pollers: dict[str, tuple[BackgroundRunner, JobPoller]] = {}

    def __call__(self, job: Mapping[str, Any]) -> bool:
        name = job['queue']
        if name not in self._pollers:
            system = system_named(name, self._options)
            self._pollers[name] = open_poller(system, self._options.cluster.queue_interval, self._wakeup)
        runner, poller = self._pollers[name]
        runner.deliver()
        poller.poll(time.monotonic())
        return poller.has_ended(job['id'], job.get('ends'))
