"""Which places, nodes of a cluster and GPUs, the runs of a search are kept away from, and for how long."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from hpsearch.backends.base import Avoided
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import gpu_place, is_gpu, place_in_words
from hpsearch.model.retries import LONGEST_AVOIDED, avoided_until, since_bad, why_avoided
from hpsearch.model.units import duration

log = logging.getLogger('hpsearch')

ANSWER_PATIENCE = 60.0
"""Seconds for which a search that has nothing else to do waits until a place is avoided."""


class PlaceWatch:
    """Decides which places are avoided.

    Until when follows from the journals, so that all writers of a search and ``hpsearch status`` say the same. Only of
    attempts that waited in a queue is it not known when they ended: then it counts when that was seen here first.

    Attributes:
        avoided: Those that no run is to be started in now, each with the reason, in words.
        bad: Those that could be avoided in fact: what failed there is run elsewhere.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._seen: dict[tuple[str, int], float] = {}
        self._unanswered: frozenset[str] = frozenset()
        self.bad: frozenset[str] = frozenset()
        self.avoided: Mapping[str, str] = {}

    def step(self, found: Mapping[str, Sequence[Attempt]], busy: Collection[str], now: float) -> None:
        """Decide again.

        Args:
            found: The bad places, as :func:`hpsearch.model.retries.bad_places` returns them.
            busy: Places in which a run is running: after a while one run at a time is tried on a bad GPU.
            now: Wall-clock seconds.
        """
        self._until = {place: until for place, until in self._until.items() if place in found}
        for place, failed in found.items():
            self._note(place, failed, now)
        self.bad &= found.keys()
        self.avoided = {
            place: why for place, failed in found.items() if (why := self._why(place, failed, place in busy, now))
        }

    def take(self, answer: Avoided) -> None:
        """Take in what the backend made of it."""
        self.bad |= answer.nodes
        self._unanswered = frozenset(self.avoided) - answer.nodes - answer.indispensable

    def is_open(self, now: float) -> bool:
        """Whether it will soon be known of a place if what failed there can be run elsewhere (``now``: wall clock)."""
        return any(now - self._begun[place] < ANSWER_PATIENCE for place in self._unanswered)

    def own_gpus(self, writer: str, found: Mapping[str, Sequence[Attempt]]) -> dict[str, str]:
        """The GPUs of a writer, on its host or in its job, that are avoided, by their names, each with the reason."""
        failed = [attempt for failed in found.values() for attempt in failed]
        places = {gpu_place(writer, gpu, attempt.node): gpu for attempt in failed for gpu in attempt.gpus}
        return {places[place]: why for place, why in self.avoided.items() if place in places}

    def _note(self, place: str, failed: Sequence[Attempt], now: float) -> None:
        until = avoided_until([self._ended_at(attempt, now) for attempt in since_bad(place, failed)])
        if until > now and until != self._until.get(place):
            log.warning('%s is avoided for %s: %s', place_in_words(place), _left(until, now), why_avoided(failed))
            self._begun[place] = now
        self._until[place] = until

    def _ended_at(self, attempt: Attempt, now: float) -> float:
        if attempt.ended_at is not None:
            return attempt.ended_at
        return self._seen.setdefault((attempt.run, attempt.number), now)

    def _why(self, place: str, failed: Sequence[Attempt], is_busy: bool, now: float) -> str:
        if now < self._until[place]:
            return f'avoided for another {_left(self._until[place], now)}: {why_avoided(failed)}'
        return f'tried again with one run: {why_avoided(failed)}' if is_gpu(place) and is_busy else ''


def _left(until: float, now: float) -> str:
    """How long that is; clocks may differ, or have been set."""
    return duration(min(until - now, LONGEST_AVOIDED))
