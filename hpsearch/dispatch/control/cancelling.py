"""Attempts are ended that users have cancelled: TERM comes first, and later KILL."""

from __future__ import annotations

import logging
from collections.abc import Collection

from hpsearch.backends.base import AttemptBackend
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.dispatch.packing.ending import Ending
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import CANCELLED

MOST_NAMED = 5
"""Runs that are named in one message."""

log = logging.getLogger('hpsearch')


class Cancelling:
    """Ends attempts of this writer that are to end by the journals, whoever asked, and whichever writer had begun it.

    Args:
        grace: Seconds between TERM and KILL.
    """

    def __init__(self, state: SearchState, backend: AttemptBackend, grace: float) -> None:
        self._state = state
        self._ending = Ending(backend, grace)

    def step(self, attempts: Collection[ActiveAttempt], now: float) -> None:
        """End what is to end; this never waits.

        Args:
            attempts: Those of this writer that are under way.
            now: Monotonic seconds.
        """
        self._ending.forget_others({active.launch.ident for active in attempts})
        chosen = [active for active in attempts if self._is_cancelled(active)]
        unasked = [active for active in chosen if not active.stop_reason]
        for active in unasked:
            active.stop_cause = CANCELLED
        if unasked:
            names = ', '.join(active.launch.run.name for active in unasked[:MOST_NAMED])
            more = f' and {len(unasked) - MOST_NAMED} more' if len(unasked) > MOST_NAMED else ''
            log.warning('ending %s%s: %s', names, more, CANCELLED_ON_REQUEST)
        self._ending.step(chosen, lambda active: CANCELLED_ON_REQUEST, now)

    def _is_cancelled(self, active: ActiveAttempt) -> bool:
        attempt = active.journaled(self._state)
        return attempt is not None and attempt.is_cancelled
