"""The attempts of one run together: where the run stands, and what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpsearch.model.control.requests import Requests
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.states import ACTIVE, CANCELLED, ENDED, State
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured

NEEDS_NO_MORE = (State.FINISHED, State.FAILED, State.STOPPED)
"""States of runs that get no further attempt unless somebody asks for one."""


@dataclass(slots=True)
class RunHistory:
    """All attempts of one run, by number, and what was asked of it.

    Attributes:
        name: Of the run.
        by_number: Number to attempt; empty: there are only requests.
        requests: What was asked of it; None: nothing.
    """

    name: str
    by_number: dict[int, Attempt] = field(default_factory=dict)
    requests: Requests | None = None

    @property
    def attempts(self) -> list[Attempt]:
        """In order."""
        return [self.by_number[number] for number in sorted(self.by_number)]

    @property
    def last(self) -> Attempt | None:
        """The latest attempt, or None."""
        return self.by_number[max(self.by_number)] if self.by_number else None

    @property
    def deciding(self) -> Attempt | None:
        """The attempt that speaks for the run: the first that finished, else the latest."""
        finished = (attempt for attempt in self.attempts if attempt.state is State.FINISHED)
        return next(finished, self.last)

    @property
    def shown(self) -> Attempt | None:
        """The attempt that the table shows: the first that finished, else the latest that ended."""
        ended = [attempt for attempt in self.attempts if attempt.state in ENDED]
        finished = (attempt for attempt in ended if attempt.state is State.FINISHED)
        return next(finished, ended[-1] if ended else None)

    @property
    def code_text(self) -> str:
        """The code of the attempt that the table shows."""
        return self.shown.code_text if self.shown else ''

    @property
    def measured(self) -> Measured:
        """What the attempt that the table shows was measured to use."""
        return self.shown.measured if self.shown else NOTHING_MEASURED

    @property
    def state(self) -> State:
        """The state of the run: finished is final, otherwise that of its latest attempt.

        A run that was cancelled before it was started is interrupted.
        """
        if len(self.by_number) == 1:
            return next(iter(self.by_number.values())).state
        deciding = self.deciding
        if deciding is None:
            return State.INTERRUPTED if self.is_cancelled else State.PLANNED
        return deciding.state

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked for that no more attempts of it are started."""
        return self.requests is not None and self.requests.is_cancelled(self._next)

    @property
    def is_kept_back(self) -> bool:
        """Whether it might be started, or started again, had it not been cancelled on request."""
        return self.is_cancelled and self.state in (State.INTERRUPTED, State.LOST)

    @property
    def was_cancelled_outside(self) -> bool:
        """Whether its job was cancelled by somebody else, and nobody has asked for anything since."""
        deciding = self.deciding
        is_left = deciding is not None and deciding.cause == CANCELLED and not deciding.is_cancelled
        return is_left and not self.is_cancelled and not self.is_asked_for

    @property
    def is_to_end(self) -> bool:
        """Whether an attempt is under way that was cancelled on request."""
        last = self.last
        return last is not None and last.state in ACTIVE and last.is_cancelled

    @property
    def is_unwanted(self) -> bool:
        """Whether it is started, or started again, only if somebody asks for that: it was cancelled in whatever way."""
        return self.is_kept_back or self.was_cancelled_outside

    @property
    def is_open(self) -> bool:
        """Whether it is under way, or is to be started, or started again, as soon as somebody works on the search."""
        return self.is_to_run_again or (self.state not in NEEDS_NO_MORE and not self.is_unwanted)

    @property
    def is_asked_for(self) -> bool:
        """Whether it was asked for that it is run again, and has not been since."""
        return self.was_asked_for(self._next)

    @property
    def is_to_run_again(self) -> bool:
        """Whether another attempt of it waits to be started, or for the end of the last, since somebody asked."""
        return self.requests is not None and self.state is not State.FINISHED and self.is_asked_for

    def was_asked_for(self, number: int) -> bool:
        """Whether somebody asked for the attempt of this number."""
        return self.requests is not None and self.requests.asks_for(number)

    @property
    def next_revision(self) -> int:
        """The revision of a request that is to hold against all that are known."""
        return self.requests.next_revision if self.requests else 1

    @property
    def _next(self) -> int:
        return max(self.by_number, default=0) + 1

    def ask(self, kind: str, after: int, revision: int) -> None:
        """Take in a request about the attempts after one (:class:`Requests`)."""
        if self.requests is None:
            self.requests = Requests()
        self.requests.add(kind, after, revision)
        for attempt in self.by_number.values():
            attempt.is_cancelled = self.requests.is_cancelled(attempt.number)

    def in_words(self) -> str:
        """The history for an error message: of many attempts only the last ones."""
        return '; '.join(f'attempt {a.number}: {a.state}, owner {a.owner or "unknown"}' for a in self.attempts[-4:])
