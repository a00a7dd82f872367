"""Runs make room for others on their machine: which do is for the backend to say; TERM comes first, and later KILL."""

from __future__ import annotations

import logging
from collections.abc import Collection

from hpsearch.backends.base import AttemptBackend
from hpsearch.dispatch.context import ActiveAttempt, EventRecorder
from hpsearch.dispatch.packing.ending import Ending
from hpsearch.model.states import YIELDED

log = logging.getLogger('hpsearch')


class Yielding:
    """Ends attempts of this writer that make room.

    Args:
        grace: Seconds between TERM and KILL.
    """

    def __init__(self, recorder: EventRecorder, backend: AttemptBackend, grace: float) -> None:
        self._recorder = recorder
        self._backend = backend
        self._ending = Ending(backend, grace)
        self._chosen: dict[str, str] = {}

    def step(self, attempts: Collection[ActiveAttempt], now: float) -> None:
        """Ask the backend, and end what is to make room; this never waits.

        Args:
            attempts: Those of this writer that are under way.
            now: Monotonic seconds.
        """
        held = {active.launch.ident: active for active in attempts}
        self._chosen = {ident: why for ident, why in self._chosen.items() if ident in held}
        self._ending.forget_others(held)
        for ident, why in self._backend.leaving(now).items():
            if ident in held and ident not in self._chosen and not held[ident].stop_reason:
                self._choose(held[ident], why)
        chosen = [held[ident] for ident in self._chosen]
        self._ending.step(chosen, lambda active: self._chosen[active.launch.ident], now)

    def _choose(self, active: ActiveAttempt, why: str) -> None:
        run = active.launch.run.name
        self._chosen[active.launch.ident] = why
        active.stop_cause = YIELDED
        self._recorder.note('yielding', runs=[run], reason=why)
        log.warning('%s is ended: %s', run, why)
