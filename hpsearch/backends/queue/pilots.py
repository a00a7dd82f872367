"""Jobs that work on the search by themselves: each runs ``hpsearch join`` inside its allocation.

This backend has no slots. It sees to it that there are as many such jobs as are wanted and as there is work for; what
they do is told by their own journals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.backends.base import AttemptStatus, Launch, LaunchResult
from hpsearch.backends.queue.commands import GOODBYE, CommandRunner
from hpsearch.backends.queue.pilot_jobs import PilotJobs
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.host.wakeup import Wakeup
from hpsearch.model.jobs import JobState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest
from hpsearch.model.snapshot import GpuLine, QueueLine


class PilotBackend:
    """Keeps jobs alive that work on the search.

    Args:
        jobs: The pilots.
        commands: Executes the commands of their queue.
        watch: Knows what became of them.
        wakeup: What :meth:`wait` waits with.
    """

    def __init__(self, jobs: PilotJobs, commands: CommandRunner, watch: JobPoller, wakeup: Wakeup) -> None:
        self._jobs = jobs
        self._commands = commands
        self._watch = watch
        self._wakeup = wakeup

    # Jobs

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """None here: it sees to it that there are enough pilots."""
        self._jobs.keep(now)
        is_final = self._jobs.is_wrong and not self._jobs.submissions
        return Placement(waiting=self._in_words(), is_final=is_final)

    def _in_words(self) -> str:
        if self._jobs.problem:
            return self._jobs.problem
        counts: Counter[str] = Counter()
        for line in self.queue_lines():
            counts[line.state] += line.count
        jobs = ', '.join(f'{count} {state}' for state, count in sorted(counts.items()))
        return f'jobs that work on it: {jobs or "none yet"}'

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """No attempt is held here; what became of the pilots is taken in."""
        self._commands.take_in()
        self._watch.poll(now)
        self._jobs.step(now)
        return {}

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Cancel the pilots: they end their runs."""
        self._jobs.cancel(force=force)

    def is_settled(self) -> bool:
        """Whether nothing is being asked, and what was cancelled has ended."""
        return self._jobs.is_settled and not self._commands.open

    def wait(self, timeout: float) -> None:
        """Until a command answers, a signal comes, or the time is over."""
        self._wakeup.wait(timeout)

    def queue_lines(self) -> Sequence[QueueLine]:
        """How many pilots wait, and why, and how many work."""
        counts: Counter[tuple[str, str, str, bool]] = Counter()
        for pilots in self._jobs.submissions.values():
            for index in pilots.left:
                kind, seen = self._watch.sight((pilots.name, index))
                state = 'running' if kind is JobState.RUNNING else 'pending' if pilots.job else 'waiting'
                reason = seen.reason if seen is not None and kind is JobState.PENDING else ''
                counts[state, reason, pilots.name, seen is not None and seen.is_stuck] += 1
        return [
            QueueLine(state, reason, count, name, stuck) for (state, reason, name, stuck), count in counts.most_common()
        ]

    def close(self) -> None:
        """Let go; pilots go on."""
        self._commands.finish(GOODBYE)

    # What this backend never has

    def impossible(self, resources: ResourceRequest) -> str:
        """Pilots judge that themselves."""
        return ''

    def start(self, launches: Sequence[Launch], now: float) -> Sequence[LaunchResult]:
        """Never asked for: there are no slots."""
        return [LaunchResult(launch.ident, None, problem='runs are started by the jobs') for launch in launches]

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Never asked for: see :meth:`can_adopt`."""

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        """Attempts belong to the pilots."""
        return False

    def forget(self, ident: str, now: float) -> None:
        """Nothing is held."""

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """None: the pilots tell of their own."""
        return ()
