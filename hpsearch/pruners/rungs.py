"""Rungs: the steps at which learning curves are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ladder:
    """Geometrically growing rungs.

    Attributes:
        grace: The first rung, in steps.
        factor: Each rung is so many times the one below; more than 1.
        maximum: Steps of a whole run; no rung is at it or above. None: it is not known.
    """

    grace: float = 1
    factor: float = 3
    maximum: float | None = None

    def up_to(self, step: float) -> Iterator[float]:
        """The rungs that are at a step or below, first to last."""
        rung = self.grace
        while rung <= step and (self.maximum is None or rung < self.maximum):
            yield rung
            rung *= self.factor
