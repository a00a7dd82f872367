"""Cancelling jobs of a queue, again and again until it succeeds."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.poller import JobPoller

log = logging.getLogger('hpsearch')


class Cancellable(Protocol):
    """A submission whose elements may be cancelled.

    Attributes:
        name: Of its job.
        job: Its id; empty while it is not known.
        to_cancel: Indices whose cancellation is still to be asked for.
        force: Whether without asking them.
    """

    name: str
    job: str
    to_cancel: set[int]
    force: bool

    @property
    def left(self) -> Collection[int]:
        """Indices of the elements that have not ended and that we look after."""

    def is_all(self, indices: Collection[int]) -> bool:
        """Whether these are all elements that it has left, also for others."""


class Canceller:
    """Cancels elements of submissions.

    Args:
        system: The queue system.
        commands: Executes its commands.
        watch: Knows what became of jobs.
    """

    def __init__(self, system: BatchSystem, commands: CommandRunner, watch: JobPoller) -> None:
        self._system = system
        self._commands = commands
        self._watch = watch

    def cancel(self, submission: Cancellable, indices: Iterable[int], *, force: bool) -> None:
        """Cancel elements, or note that, while the id of their job is not known."""
        submission.to_cancel.update(indices)
        submission.force = submission.force or force
        self.go_on((submission,))

    def go_on(self, submissions: Iterable[Cancellable]) -> None:
        """Cancel what could not be cancelled before."""
        for submission in submissions:
            indices = sorted(index for index in submission.to_cancel if index in submission.left)
            if submission.job and indices:
                submission.to_cancel.clear()
                self._ask(submission, indices)

    def _ask(self, submission: Cancellable, indices: Sequence[int]) -> None:
        """Where an answer was lost there may be two jobs of the name: both are ours."""
        is_whole = submission.is_all(indices)
        for job in sorted({submission.job, *self._watch.jobs_named(submission.name)}):
            words = self._system.cancel_argv(job, indices, whole=is_whole, force=submission.force)
            self._commands.ask(words, lambda answer: self._take(submission, indices, answer))
        self._watch.hurry()

    def _take(self, submission: Cancellable, indices: Sequence[int], answer: CommandResult) -> None:
        problem = self._system.parse_cancel(answer)
        left = [index for index in indices if index in submission.left]
        if problem and left:
            log.warning('%s: %d jobs could not be cancelled yet: %s', submission.name, len(left), problem)
            submission.to_cancel.update(left)
        self._watch.hurry()
