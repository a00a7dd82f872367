"""How far the work on a search is stopped, and one reason for it: the first runs all fail alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hpsearch.model.run import Run
from hpsearch.model.verdict import same_failure


class Stop(IntEnum):
    """How far a stop has gone."""

    NO = 0
    DRAIN = 1
    """No more runs are started; those that run may end."""
    TERM = 2
    """Runs were asked to end."""
    KILL = 3
    """Runs were ended."""


@dataclass(slots=True)
class Shutdown:
    """What was asked for and what was done about it.

    Attributes:
        done: How far the stop has gone.
        asked: How far it shall go.
        why: Why, in words.
        kill_at: When the grace of the runs is over, in monotonic seconds.
    """

    done: Stop = Stop.NO
    asked: Stop = Stop.NO
    why: str = ''
    kill_at: float = 0.0


class FailFast:
    """Looks whether the first attempts all fail alike.

    Args:
        limit: How many; 0: never.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failures: list[str | None] = []
        self.signature = ''
        self.example: Run | None = None

    def is_met_by(self, failure: str | None, run: Run) -> bool:
        """Take in one more end; ``failure`` is what it failed with, None: it did not fail."""
        if len(self._failures) >= self._limit:
            return False
        self._failures.append(failure)
        self.example = self.example or (run if failure is not None else None)
        self.signature = same_failure(self._failures, self._limit)
        return bool(self.signature)
