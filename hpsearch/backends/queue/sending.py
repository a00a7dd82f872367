"""Submitting jobs: written down before they are sent, sent, and journaled when they were accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec
from hpsearch.backends.queue.commands import SUBMIT_TIMEOUT, CommandRunner
from hpsearch.store.folder import SearchFolder, write_whole

RETRY = 30.0
"""Seconds after which a submission that was not accepted is tried again."""

LONGEST_RETRY = 300.0


def pause_after(tries: int) -> float:
    """Seconds until a submission whose answer was lost is looked for, when it was sent so often."""
    return min(LONGEST_RETRY, RETRY * 2.0 ** min(tries - 1, 5))


def submission_name(folder: SearchFolder, salt: str) -> str:
    """A name for a submission that no other has, of letters, digits and hyphens.

    Args:
        folder: The search.
        salt: Random letters.
    """
    search = re.sub(r'[^A-Za-z0-9]', '', folder.path.name)[-14:] or 'search'
    return f'hps-{search}-{salt}'


@dataclass(frozen=True)
class Submitter:
    """Submits jobs.

    Attributes:
        folder: The search.
        system: The queue system.
        commands: Executes its commands.
        note: Writes an event to the journal; False: that failed.
        wall: Seconds since 1970.
    """

    folder: SearchFolder
    system: BatchSystem
    commands: CommandRunner
    note: Callable[[dict[str, Any]], object]
    wall: Callable[[], float]

    def announce(self, name: str, script: str, *, at: float, throttle: int, **content: Any) -> str:
        """Write down what is about to be submitted; says why that cannot be done, or nothing.

        Args:
            name: Of the submission.
            script: Of its jobs.
            at: When it was made, in seconds since 1970.
            throttle: Jobs of it at a time.
            content: What its jobs are.
        """
        try:
            self.folder.submissions_dir.mkdir(exist_ok=True)
            write_whole(self.folder.submission(name).script, script)
        except OSError as error:
            return f'the search folder cannot be written: {error.strerror}'
        event = {'event': 'submitting', 'queue': self.system.name, 'submission': name, **content}
        is_noted = self.note({**event, 'throttle': throttle, 'at': round(at, 3)})
        return 'the journal cannot be written' if is_noted is False else ''

    def send(self, job: JobSpec, script: str, then: Callable[[CommandResult], None]) -> None:
        """Ask the queue to accept a job that was announced; ``then`` gets its answer."""
        text = self.system.submit_stdin(script, str(self.folder.submission(job.name).script))
        self.commands.ask(self.system.submit_argv(job), then, stdin=text, timeout=SUBMIT_TIMEOUT)

    def accepted(self, name: str, job: str) -> None:
        """Journal that a submission is in the queue, as a job of this id."""
        self.note({'event': 'accepted', 'submission': name, 'job': job, 'at': round(self.wall(), 3)})
