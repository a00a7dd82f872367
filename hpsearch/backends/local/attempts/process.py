"""The processes of one attempt: what is remembered of them, and how its shell ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.base import Launch
from hpsearch.host.processes import NOT_OURS, Process, Reaped, presence, reap, ticks_now
from hpsearch.model.evidence import ProcessState

DYING = 0.3
"""Seconds within which the processes of a killed group die."""


@dataclass(slots=True)
class AttemptProcess:
    """The processes of one attempt.

    Attributes:
        launch: The attempt.
        shell: Its sh, which leads their session; without ticks when no such process was found.
        is_child: Whether that is a child of ours.
        seen: When that last had its pid, in the unit of start times: a child that was not waited for has it as well.
        pidfd: Watches its sh, if it is no child of ours.
        headless: When its sh ended while what it started went on, in monotonic seconds; None: it did not. It was killed
            (there will be no record, but there may be a summary), or it ended when the attempt was cancelled.
        code: How its sh ended then.
        used: What it and its children have used, as the system says where it is a child of ours.
        ended: How it ended; None: it goes on.
        ended_at: When that was seen, in monotonic seconds.
        is_late: Whether that was seen late, since we were stopped meanwhile: its files say how long it took.
        is_cancelled: Whether it was asked to end: what goes on without its sh, behind a wrapper that ended, may write a
            checkpoint.
        is_forced: Whether we killed all of it ourselves.
        next_check: When it is checked again whether that goes on, in monotonic seconds.
        pause: Seconds between two such checks.
    """

    launch: Launch
    shell: Process
    is_child: bool = True
    seen: float = 0.0
    pidfd: int | None = None
    headless: float | None = None
    code: int = NOT_OURS
    used: Reaped | None = None
    ended: int | None = None
    ended_at: float = 0.0
    is_late: bool = False
    is_cancelled: bool = False
    is_forced: bool = False
    next_check: float = 0.0
    pause: float = 0.05

    @property
    def pid(self) -> int:
        """Of its sh."""
        return self.shell.pid

    @property
    def handle(self) -> dict[str, Any]:
        """What the journal keeps of it, by which it is found again."""
        return {'pid': self.shell.pid, 'ticks': self.shell.ticks}

    @property
    def key(self) -> tuple[str, str]:
        """Run and number, as its processes carry them."""
        return self.launch.run.name, str(self.launch.number)

    @property
    def keeps_its_pid(self) -> bool:
        """Whether its sh is a child that was not waited for: until then nobody else gets its pid."""
        return self.is_child and self.headless is None and self.ended is None

    def status(self) -> int | None:
        """How its sh ended, ``NOT_OURS`` where that is not known; None while it has not, as far as is known."""
        now = ticks_now()
        if self.is_child:
            self.used = reap(self.pid)
            code = self.used.code if self.used else None
            self.seen = now if code != NOT_OURS else self.seen
            return code
        found = presence(self.pid, self.shell.ticks)
        self.seen = now if found is ProcessState.ALIVE else self.seen
        return NOT_OURS if found is ProcessState.GONE else None

    def owns(self, session: Sequence[Process], marked: Collection[Process]) -> bool:
        """Whether a session with the pid of its sh is its own, and none that got this pid later.

        One that has a process with its marks is, and one that has a process that started while its sh had the pid.
        """
        return any(each in marked or each.started < self.seen for each in session)

    def code_without_shell(self, now: float) -> int:
        """The status of an end after that of its sh, without a record: known if all of its group was killed at once."""
        if self.code >= 0:
            return self.code
        died_together = now - (self.headless or now) < DYING
        return self.code if self.is_forced or died_together else NOT_OURS
