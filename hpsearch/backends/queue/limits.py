"""Asking a queue system once what it accepts, before anything is submitted."""

from __future__ import annotations

from collections.abc import Callable

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.poller import JobPoller

RETRY = 30.0
"""Seconds after which a question that was not answered is asked again."""

TRIES = 5
"""How often it is asked before the usual limits are taken."""


class LimitsQuery:
    """What a queue system accepts.

    One that does not answer is asked again: limits that are guessed too high would be a reason to refuse everything.

    Attributes:
        problem: Why it has not told them yet, in its own words, or empty.

    Args:
        system: The queue system.
        commands: Executes its commands.
        watch: Is told of them, too.
        clock: Monotonic seconds.
    """

    def __init__(
        self, system: BatchSystem, commands: CommandRunner, watch: JobPoller, clock: Callable[[], float]
    ) -> None:
        self._system = system
        self._commands = commands
        self._watch = watch
        self._clock = clock
        self._limits: QueueLimits | None = None
        self._tries = 0
        self._is_asking = False
        self._next = float('-inf')
        self.problem = ''

    def get(self, now: float) -> QueueLimits | None:
        """The limits; None: they are not known yet, and are asked for.

        Args:
            now: Monotonic seconds.
        """
        if self._limits is None and not self._is_asking and now >= self._next:
            self._is_asking = True
            self._tries += 1
            self._commands.ask(self._system.limits_argv(), self._take)
        return self._limits

    def _take(self, answer: CommandResult) -> None:
        self._is_asking = False
        if answer.code != 0 and self._tries < TRIES:
            self.problem = answer.problem(self._system.limits_argv()[0])
            self._next = self._clock() + RETRY
            return
        self.problem = ''
        self._limits = self._system.parse_limits(answer)
        self._watch.note_limits(self._limits)
