"""Curves: what runs have reported while they went, from the events ``reported`` of all journals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from hpsearch.model.trials.trial import Curve, Objective

Points: TypeAlias = Mapping[float, Mapping[str, float]]
"""Step to what was reported there: metric to value, which may be nan or infinite. Steps are in order."""

NOT_FINITE = ('nan', 'inf', '-inf')
"""How JSON has the numbers that it lacks; ``float`` reads each of them."""

NOTHING: Points = {}


def points_as_json(points: Points) -> list[list[Any]]:
    """Points as an event has them."""
    return [[step, {name: as_json(value) for name, value in found.items()}] for step, found in points.items()]


def as_json(value: float) -> float | str:
    """A number as strict JSON can hold it."""
    return value if value - value == 0 else str(float(value))


class Curves(Mapping[str, Points]):
    """Run to what it has reported, over all its attempts.

    An attempt does again whatever comes after its first step: of earlier attempts only the points before that step
    count, which are all if it goes on from where they ended, and none if it begins anew. In which order the journals of
    several writers are read does not matter.
    """

    def __init__(self) -> None:
        self._attempts: dict[str, dict[int, dict[float, Mapping[str, float]]]] = {}
        self._joined: dict[str, Points] = {}

    def add(self, run: str, attempt: int, points: Sequence[Sequence[Any]]) -> None:
        """Take in the points of an event."""
        attempts = self._attempts.setdefault(run, {})
        own = attempts.setdefault(attempt, {})
        last, is_sorted = next(reversed(own), -math.inf), True
        for step, metrics in points:
            if step in own:
                own[step] = {**own[step], **_as_floats(metrics)}
                continue
            is_sorted, last = is_sorted and step >= last, step
            own[step] = _as_floats(metrics)
        if not is_sorted:
            attempts[attempt] = dict(sorted(own.items()))
        self._joined.pop(run, None)

    def of(self, run: str) -> Points:
        """What a run has reported; empty: nothing. It is another object once there is more."""
        if run not in self._attempts:
            return NOTHING
        if run not in self._joined:
            attempts = self._attempts[run]
            self._joined[run] = dict(*attempts.values()) if len(attempts) == 1 else _joined(attempts)
        return self._joined[run]

    def of_attempt(self, run: str, attempt: int) -> Points:
        """What one attempt has reported."""
        return self._attempts.get(run, {}).get(attempt, NOTHING)

    def __getitem__(self, run: str) -> Points:
        if run not in self._attempts:
            raise KeyError(run)
        return self.of(run)

    def __iter__(self) -> Iterator[str]:
        return iter(self._attempts)

    def __len__(self) -> int:
        return len(self._attempts)


def _as_floats(metrics: Mapping[str, Any]) -> Mapping[str, float]:
    """Metrics as numbers; a long search has millions of them, and most need nothing done."""
    for value in metrics.values():
        if type(value) is not float:
            return {name: float(each) for name, each in metrics.items()}
    return metrics


def _joined(attempts: Mapping[int, Points]) -> Points:
    found: dict[float, Mapping[str, float]] = {}
    for number in sorted(attempts):
        begin = min(attempts[number], default=float('inf'))
        found = {step: metrics for step, metrics in found.items() if step < begin} | dict(attempts[number])
    return found


def curve_of(points: Points, objective: Objective) -> Curve:
    """The losses of an objective at the steps where it was reported."""
    return {step: objective.loss(found[objective.key]) for step, found in points.items() if objective.key in found}


def last_values(points: Points) -> Mapping[str, float]:
    """The last value of each metric."""
    last: dict[str, float] = {}
    for found in points.values():
        last.update(found)
    return last


SHOWN_POINTS = 50
"""Points at the end of a curve that are looked at for what is shown of it."""


def latest(points: Points) -> tuple[float | None, Mapping[str, float]]:
    """The last step of a curve, and the last values of the metrics that were reported at its end."""
    steps = list(points)[-SHOWN_POINTS:]
    return (steps[-1] if steps else None), last_values({step: points[step] for step in steps})
