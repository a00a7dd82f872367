"""Which points of a run are journaled: all of a short training, and of a long one so many that none is missed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

POINTS_PER_DOUBLING = 128
"""Values of a metric that are kept while the step doubles: each step up to 256, and about 1,500 of a million steps."""

MOST_VALUES = 5000
"""Values of a metric that are kept, however its steps go."""

MOST_METRICS = 8
"""Metrics of a run that are kept, beside those that are wanted."""


@dataclass(slots=True)
class _Series:
    """One metric of one attempt.

    Attributes:
        step: The last step that was seen.
        cell: That of the last step that was kept.
        is_kept: Whether the last step was kept.
        held: The last value that was not kept; None: there is none.
        count: How many values were kept.
    """

    step: float = math.nan
    cell: tuple[int, int, int] | None = None
    is_kept: bool = False
    held: float | None = None
    count: int = 0


class Thinning:
    """Keeps of the values of each metric the first within each cell of steps, which become larger as steps do.

    A value that replaces an earlier one of its step is kept when the next step begins, and the last one of all when the
    run has ended.

    Args:
        wanted: Metrics that are always kept.
        rungs: Steps that matter: the first value at or beyond each is kept, too. In order.
    """

    def __init__(self, wanted: Iterable[str] = (), rungs: Sequence[float] = ()) -> None:
        self._wanted = frozenset(wanted)
        self._rungs = rungs
        self._series: dict[str, _Series] = {}

    def kept(self, name: str, step: float, value: float) -> list[tuple[float, float]]:
        """What is to be journaled of a metric now that it has a further value: steps and values."""
        series = self._series.get(name)
        if series is None:
            others = self._series.keys() - self._wanted
            if name not in self._wanted and len(others) >= MOST_METRICS:
                return []
            series = self._series[name] = _Series()
        if step == series.step:
            series.held = value
            return []
        before = self._replaced(series)
        cell = self._cell(step)
        series.step, series.is_kept, series.held = step, cell != series.cell and series.count < MOST_VALUES, None
        if not series.is_kept:
            series.held = value
            return before
        series.cell, series.count = cell, series.count + 1
        return [*before, (step, value)]

    def rest(self) -> list[tuple[str, float, float]]:
        """What is to be journaled at the end: metrics with steps and values."""
        held = [(name, series.step, series.held) for name, series in self._series.items()]
        return [(name, step, value) for name, step, value in held if value is not None]

    def _replaced(self, series: _Series) -> list[tuple[float, float]]:
        """The last value of the step before, where an earlier one of it was kept."""
        return [(series.step, series.held)] if series.is_kept and series.held is not None else []

    def _cell(self, step: float) -> tuple[int, int, int]:
        """The cell of a step, which ends where a rung begins."""
        mantissa, exponent = math.frexp(step)
        return exponent, math.floor(2 * POINTS_PER_DOUBLING * mantissa), bisect_right(self._rungs, step)
