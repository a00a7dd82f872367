"""Making arrays of attempts: as large as their script may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpsearch.backends.base import Launch
from hpsearch.backends.queue.arrays import JobArray, PreparedSubmission, QueuedAttempt, QueueSettings
from hpsearch.backends.queue.batch_system import BatchSystem, JobSpec
from hpsearch.backends.queue.job_script import ScriptElement, array_script
from hpsearch.backends.queue.sending import submission_name
from hpsearch.model.command import shell_line
from hpsearch.store.folder import SearchFolder

SCRIPT_BYTES = 2_000_000
"""Size of a job script, at most; Slurm's own limit is 4 MB."""


def make_script(
    folder: SearchFolder,
    cwd: str,
    system: BatchSystem,
    settings: QueueSettings,
    launches: Sequence[Launch],
    job: JobSpec,
) -> str:
    """The script of an array.

    Args:
        folder: The search.
        cwd: Working directory of the attempts.
        system: The queue system.
        settings: How jobs are made.
        launches: Its elements, in order.
        job: How it is submitted.
    """
    return array_script(
        folder=folder,
        name=job.name,
        elements=[ScriptElement(each.run.name, each.number, each.ident, each.run.argv) for each in launches],
        cwd=cwd,
        variables=system.variables,
        prologue=settings.prologue,
        signal=settings.signal,
        header=shell_line(system.submit_argv(job)),
    )


@dataclass(frozen=True)
class ArrayMaker:
    """Makes arrays.

    Attributes:
        folder: The search.
        cwd: Working directory of the attempts.
        system: The queue system.
        settings: How jobs are made.
        salt: Random letters for the names of submissions.
        wall: Seconds since 1970.
    """

    folder: SearchFolder
    cwd: str
    system: BatchSystem
    settings: QueueSettings
    salt: Callable[[], str]
    wall: Callable[[], float]

    def make(
        self, wanted: Sequence[QueuedAttempt], throttle: int, memory: int | None
    ) -> tuple[JobArray, PreparedSubmission]:
        """An array of as many of these attempts, from the first one on, as one script may have.

        Args:
            wanted: Attempts that need the same; at least one.
            throttle: Elements that may run at a time.
            memory: MiB of memory in place of the usual ones, or None.
        """
        name = submission_name(self.folder, self.salt())
        unsent, members = self._as_it_is_sent(name, wanted, throttle, memory), wanted
        while (size := len(unsent.script.encode('utf-8', 'surrogateescape'))) > SCRIPT_BYTES and len(members) > 1:
            members = members[: max(1, min(len(members) * SCRIPT_BYTES // size, len(members) - 1))]
            share = max(1, throttle * len(members) // len(wanted))  # the others will want some of it
            unsent = self._as_it_is_sent(name, members, share, memory)
        allowed = unsent.job.throttle
        array = JobArray(name, self.wall(), allowed, allowed, dict(enumerate(members, start=1)), unsent=unsent)
        return array, unsent

    def _as_it_is_sent(
        self, name: str, members: Sequence[QueuedAttempt], throttle: int, memory: int | None
    ) -> PreparedSubmission:
        size, log = len(members), self.folder.submission(name).log
        job = JobSpec(name, size, min(throttle, size), log, memory, self.settings.warning)
        launches = [each.launch for each in members]
        return PreparedSubmission(job, make_script(self.folder, self.cwd, self.system, self.settings, launches, job))
