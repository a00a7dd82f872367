"""From rows of a log to points: which of its values is the step, and which are metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from hpsearch.model.units import is_ambiguous, read_number

Point: TypeAlias = tuple[float, dict[str, float]]
"""A step and the metrics there."""

STEP_NAMES = (
    *('epoch', 'epochs', 'step', 'steps', 'global_step', 'iteration', 'iterations', 'iter', 'iters', 'it'),
    *('training_iteration', 'round', 'rounds', 'generation', 'update', 'updates', 'num_updates', 'total_timesteps'),
    *('timestep', 'timesteps', 'batch'),
)
"""Names of columns that say how far a training is; of several that a row has, the first one here counts."""

_RANKS = {name: rank for rank, name in enumerate(STEP_NAMES)}

LARGEST_STEP = 2.0**62


def step_name(names: Iterable[str]) -> str:
    """Which of some names is that of the step; empty: none."""
    ranked = [(rank, name) for name in names if (rank := _rank(name)) is not None]
    return min(ranked)[1] if ranked else ''


def _rank(name: str) -> int | None:
    """How much a name is one of a step: ``trainer/global_step`` and ``_step`` are, too; None: it is none."""
    return _RANKS.get(re.split('[/.]', name.lower())[-1].strip('_ '))


def as_number(text: str) -> float | None:
    """The number that a value is, which may be nan; None: it is none."""
    try:
        return float(text)
    except ValueError:
        reading = None if is_ambiguous(text) else read_number(text)
        return reading.value if reading and reading.is_single else None


class Steps:
    """Finds the step of each row; a row without one belongs to the last step before it.

    Where no row has a step the rows are counted, from 1.

    Args:
        name: Where the step is in a row; empty: in the first of :data:`STEP_NAMES` that is there.
    """

    def __init__(self, name: str = '') -> None:
        self._name = name
        self._last: float | None = None
        self._count = 0

    def look_in(self, names: Iterable[str]) -> None:
        """The names that rows may have, of which some have only a part."""
        self._name = self._name or step_name(names)

    def points(self, rows: Iterable[Mapping[str, str]]) -> Iterator[Point]:
        """The points of further rows."""
        for row in rows:
            step = self._step(row)
            metrics = {} if step is None else dict(self._numbers(row))
            if step is not None and metrics:
                yield step, metrics

    def _step(self, row: Mapping[str, str]) -> float | None:
        self.look_in(row)
        if not self._name:
            self._count += 1
            return self._count
        number = as_number(row[self._name]) if self._name in row else None
        if number is not None and math.isfinite(number) and abs(number) <= LARGEST_STEP:
            self._last = number
        return self._last

    def _numbers(self, row: Mapping[str, str]) -> Iterator[tuple[str, float]]:
        for name, text in row.items():
            if name != self._name and _rank(name) is None and (number := as_number(text)) is not None:
                yield name, number
