"""Requests about one run, or about admission, as one value, whatever the order in which they are heard of.

Hosts share no clock. So a request says how many there had been before it, as far as whoever made it knew (its
*revision*), and of two that contradict each other, the one with the higher revision holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REQUESTS = ('cancel', 'rerun')
"""Events in which users ask something of a run."""

CANCELLED_ON_REQUEST = 'cancelled by hpsearch cancel'
"""Why an attempt ended that was cancelled, in words."""

PAUSED = 'paused by hpsearch pause (hpsearch pause --off goes on)'
"""Why no run is started while admission is paused."""

RERUN_ON_REQUEST = 'hpsearch rerun asked for it'
"""Why a run gets another attempt, in words."""


@dataclass(slots=True)
class Requests:
    """What was asked of a run.

    Both kinds of requests are about all attempts after one: they are cancelled, or may be after all. An attempt that
    its writer began in the meantime, unseen by whoever asked, is among them.

    Attributes:
        cancelled: Number of the attempt to the highest revision of a request to cancel those after it.
        rerun: The same for requests to run it again.
    """

    cancelled: dict[int, int] = field(default_factory=dict)
    rerun: dict[int, int] = field(default_factory=dict)

    @property
    def next_revision(self) -> int:
        """The revision of a request that is to hold against all these."""
        return 1 + max((*self.cancelled.values(), *self.rerun.values()), default=0)

    def add(self, kind: str, after: int, revision: int) -> None:
        """Take in a request; ``kind``: ``cancel`` or ``rerun``."""
        known = self.cancelled if kind == 'cancel' else self.rerun
        known[after] = max(revision, known.get(after, 0))

    def is_cancelled(self, number: int) -> bool:
        """Whether the attempt of this number must not start, or is to end; of two equal revisions cancelling holds."""
        cancelled = _latest_before(self.cancelled, number)
        return cancelled > 0 and cancelled >= _latest_before(self.rerun, number)

    def asks_for(self, number: int) -> bool:
        """Whether somebody asked for the attempt of this number, after all earlier ones, and nobody cancelled it."""
        return max(self.rerun, default=-1) >= number - 1 and not self.is_cancelled(number)


def _latest_before(revisions: dict[int, int], number: int) -> int:
    """The highest revision of the requests that are about this attempt; 0: there is none."""
    return max((revision for after, revision in revisions.items() if after < number), default=0)


@dataclass(frozen=True, slots=True, order=True)
class Admission:
    """Whether runs are started.

    Attributes:
        revision: Of the request; 0: nobody has asked.
        is_paused: Whether none is. Of two requests of the same revision this one holds.
    """

    revision: int = 0
    is_paused: bool = False
