"""How many jobs a queue lets one have, learned from what it accepts and refuses. Pure."""

from __future__ import annotations

FORGET = 120.0
"""Seconds after which a refusal is doubted: others of one's jobs count, too, and those end."""

LONGEST_FORGET = 960.0
"""The same at most; it doubles as long as nothing is accepted."""

SECOND_TRY = 10.0
"""Seconds before another try where less was refused than was accepted before: an ended job counts for a moment yet."""


class SubmitWindow:
    """Narrows the limit down by halves; long after a refusal feels its way upwards, one more and twice as many.

    Between what was accepted and what was refused lies the limit; where they touch, no more is tried in vain.
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
        """So many were in the queue after something was accepted."""
        self._accepted = max(self._accepted, live)
        self._may_be_late = True
        self._forget = FORGET
        self._step *= 2
        if self._refused is not None and self._refused <= self._accepted:
            self._refused, self._step = None, 1

    def refused(self, live: int, size: int, now: float) -> None:
        """``size`` more were refused while ``live`` were in the queue, at ``now`` in monotonic seconds."""
        is_late, self._may_be_late = self._may_be_late and live + size <= self._accepted, False
        if is_late:
            self._second_try_at = now + SECOND_TRY
            return
        self._step = 0
        self._refused, self._refused_at = live + size, now
        self._accepted = min(self._accepted, live + size - 1)

    def room(self, live: int, now: float) -> int | None:
        """How many to try next: 0: wait; None: any number.

        Args:
            live: How many are in the queue.
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
    def found(self) -> int | None:
        """How many it may be at most; None: that is not known, not even nearly."""
        is_narrow = self._refused is not None and self._refused - self._accepted <= 1 + self._accepted // 16
        return self._accepted if is_narrow else None
