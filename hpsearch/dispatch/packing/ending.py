"""How attempts are ended before their time: TERM, and later KILL."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence

from hpsearch.backends.base import AttemptBackend
from hpsearch.dispatch.context import ActiveAttempt

log = logging.getLogger('hpsearch')


class Ending:
    """Ends attempts, each of them once.

    Args:
        grace: Seconds between TERM and KILL.
    """

    def __init__(self, backend: AttemptBackend, grace: float) -> None:
        self._backend = backend
        self._grace = grace
        self._kill_at: dict[str, float] = {}

    def forget_others(self, idents: Collection[str]) -> None:
        """Forget all but these attempts."""
        self._kill_at = {ident: at for ident, at in self._kill_at.items() if ident in idents}

    def step(self, chosen: Sequence[ActiveAttempt], why: Callable[[ActiveAttempt], str], now: float) -> None:
        """Ask those to end that were not asked yet, and kill those whose grace is over; this never waits.

        Args:
            chosen: The attempts that are to end; the same in every call, until they have.
            why: The reason for one of them, in words.
            now: Monotonic seconds.
        """
        new = [active for active in chosen if active.launch.ident not in self._kill_at]
        self._kill_at.update({active.launch.ident: now + self._grace for active in new})
        unasked = [active for active in new if not active.stop_reason]
        for active in unasked:
            active.stop_reason = why(active)
            log.debug('%s is stopped: %s', active.launch.run.name, active.stop_reason)
        if unasked:
            self._backend.cancel([active.launch.ident for active in unasked], force=False)
        overdue = [active.launch.ident for active in chosen if now >= self._kill_at[active.launch.ident]]
        if overdue:
            self._kill_at.update(dict.fromkeys(overdue, math.inf))
            self._backend.cancel(overdue, force=True)
