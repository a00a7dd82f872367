"""Which nodes of a cluster the runs of a search are kept away from, and for how long."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.base import Avoided
from hpsearch.model.states import Attempt
from hpsearch.model.units import duration

log = logging.getLogger('hpsearch')

AVOIDED_SECONDS = 600.0
"""Seconds for which a bad node is avoided; if the first run fails there again, twice as long."""

ANSWER_PATIENCE = 60.0
"""Seconds for which a search that has nothing else to do waits until a node is avoided."""


@dataclass(slots=True)
class BadNode:
    """A node on which the last runs failed at once.

    Attributes:
        until: Until when it is avoided, in monotonic seconds.
        seconds: For how long.
        last: The last attempt that failed there.
    """

    until: float
    seconds: float
    last: Attempt


class NodeWatch:
    """Decides which nodes are avoided.

    Attributes:
        avoided: Those that no run is to be started on now.
        bad: Those that could be avoided in fact: what failed there is run elsewhere.
    """

    def __init__(self) -> None:
        self._known: dict[str, BadNode] = {}
        self._unanswered: frozenset[str] = frozenset()
        self.bad: frozenset[str] = frozenset()
        self.avoided: frozenset[str] = frozenset()

    def step(self, found: Mapping[str, Sequence[Attempt]], now: float) -> None:
        """Decide again.

        Args:
            found: The bad nodes, as :func:`hpsearch.model.retries.bad_nodes` returns them.
            now: Monotonic seconds.
        """
        self._known = {name: known for name, known in self._known.items() if name in found}
        for name, failed in found.items():
            self._note(name, len(failed), failed[-1], now)
        self.bad &= found.keys()
        self.avoided = frozenset(name for name, known in self._known.items() if now < known.until)

    def take(self, answer: Avoided) -> None:
        """Take in what the backend made of it."""
        self.bad |= answer.nodes
        self._unanswered = self.avoided - answer.nodes - answer.indispensable

    def is_open(self, now: float) -> bool:
        """Whether it will soon be known of a node if what failed there can be run elsewhere (``now``: monotonic)."""
        begun = (known.until - known.seconds for name, known in self._known.items() if name in self._unanswered)
        return any(now - begin < ANSWER_PATIENCE for begin in begun)

    def _note(self, name: str, count: int, last: Attempt, now: float) -> None:
        known = self._known.get(name)
        if known is not None and now < known.until:
            known.last = last
        elif known is None or known.last is not last:
            seconds = AVOIDED_SECONDS if known is None else 2 * known.seconds
            self._known[name] = BadNode(now + seconds, seconds, last)
            log.warning('%d in a row failed within seconds on %s: it is avoided for %s', count, name, duration(seconds))
