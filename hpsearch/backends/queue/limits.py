"""What a batch system accepts: the limits it states, and the limit on jobs that is learned from its answers."""

from __future__ import annotations

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.poller import JobPoller

RETRY = 30.0
"""Seconds after which a query without an answer, or a submission that was not accepted, is repeated."""

TRIES = 5
"""How often the limits are queried before the defaults are used."""

FORGET = 120.0
"""Seconds after which a refusal is doubted: it may have counted other jobs of the user, which end."""

LONGEST_FORGET = 960.0
"""Maximum of the same; it doubles as long as nothing is accepted."""

SECOND_TRY = 10.0
"""Seconds before another try if fewer jobs were refused than accepted before: a job counts a moment after its end."""


class LimitsQuery:
    """Queries the limits of a batch system, once.

    If it does not answer it is asked again: with limits that are too high it would refuse every submission.

    Attributes:
        problem: Why the limits are not known yet, or empty.

    Args:
        system: The batch system.
        runner: Runs its commands.
        poller: Gets to know whether there is an accounting.
    """

    def __init__(self, system: BatchSystem, runner: CommandRunner, poller: JobPoller) -> None:
        self._system = system
        self._runner = runner
        self._poller = poller
        self._limits: QueueLimits | None = None
        self._answer: CommandResult | None = None
        self._tries = 0
        self._is_asked = False
        self._next = float('-inf')
        self.problem = ''

    def get(self, now: float) -> QueueLimits | None:
        """The limits; None: they are not known yet, and are being queried.

        Args:
            now: Monotonic seconds.
        """
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self._take(answer, now)
        if self._limits is None and not self._is_asked and now >= self._next:
            self._is_asked = True
            self._tries += 1
            argv = self._system.limits_argv()
            self.problem = self.problem or f'{argv[0]} has not answered yet'
            self._runner.run(argv, self._receive)
        return self._limits

    def _receive(self, answer: CommandResult) -> None:
        self._is_asked, self._answer = False, answer

    def _take(self, answer: CommandResult, now: float) -> None:
        if answer.code != 0 and self._tries < TRIES:
            self.problem = answer.problem(self._system.limits_argv()[0])
            self._next = now + RETRY
        else:
            self.problem = ''
            self._limits = self._system.parse_limits(answer)
            self._poller.note_limits(self._limits)


class SubmitWindow:
    """Learns how many jobs a batch system lets one have, from what it accepts and refuses. Pure.

    The limit is between the number that was accepted and the number that was refused, and is narrowed down by halves;
    where they touch, nothing more is tried. Long after a refusal it is probed again: one more job, then twice as many.
    """

    def __init__(self) -> None:
        self._accepted = 0
        self._refused: int | None = None
        self._refused_at = 0.0
        self._forget = FORGET
        self._step = 0
        self._second_try_at = float('-inf')
        self._may_be_late = False

    def accepted(self, live: int) -> None:
        """Note that there are ``live`` jobs in the queue after a submission was accepted."""
        self._accepted = max(self._accepted, live)
        self._may_be_late = True
        self._forget = FORGET
        self._step *= 2
        if self._refused is not None and self._refused <= self._accepted:
            self._refused, self._step = None, 1

    def refused(self, live: int, size: int, now: float) -> None:
        """Note that ``size`` more jobs were refused while ``live`` were in the queue (``now``: monotonic seconds)."""
        is_late, self._may_be_late = self._may_be_late and live + size <= self._accepted, False
        if is_late:
            self._second_try_at = now + SECOND_TRY
            return
        self._step = 0
        self._refused, self._refused_at = live + size, now
        self._accepted = min(self._accepted, live + size - 1)

    def room(self, live: int, now: float) -> int | None:
        """How many jobs to submit next; 0: none for now; None: any number.

        Args:
            live: Jobs in the queue.
            now: Monotonic seconds.
        """
        if now < self._second_try_at:
            return 0
        if self._refused is not None and now - self._refused_at > self._forget:
            self._refused, self._step = None, 1
            self._forget = min(LONGEST_FORGET, 2 * self._forget)
        known = max(0, self._accepted - live)
        if self._refused is None:
            return known + self._step if self._step else None
        most = self._refused - 1 - live
        if known > 0:
            return known
        return max(0, most) if most <= 1 else (most + 1) // 2

    @property
    def limit(self) -> int | None:
        """The limit, as far as it has been narrowed down; None: it is not known, not even nearly."""
        is_narrow = self._refused is not None and self._refused - self._accepted <= 1 + self._accepted // 16
        return self._accepted if is_narrow else None
