"""The results of a search that can be compared: which runs count, and the points of the space that they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from hpsearch.model.configuration import Params
from hpsearch.model.states import State
from hpsearch.model.trials.seeds import is_seed
from hpsearch.model.trials.standings import mean_of
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import count_of
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord

from .parameters import Parameter, parameter_of
from .plain import as_result

ENOUGH = 20
"""Runs with the same budget that are enough to be compared with each other."""


@dataclass(frozen=True, slots=True)
class Point:
    """One set of values: the runs that have it differ in their seeds alone.

    Attributes:
        run: The first of them.
        params: Its values.
        value: The mean of their results.
        runs: How many they are.
    """

    run: str
    params: Params
    value: float
    runs: int


@dataclass(frozen=True)
class Compared:
    """Results of one objective that can be compared with each other.

    Attributes:
        objective: The objective.
        runs: The runs that count, by number.
        points: The points that they belong to.
        parameters: The options in which points differ, in the order of the configuration.
        about: Which runs count and which do not, in sentences.
    """

    objective: Objective
    runs: Sequence[RunRecord]
    points: Sequence[Point]
    parameters: Sequence[Parameter]
    about: str

    @cached_property
    def losses(self) -> list[float]:
        """The loss of each point."""
        return [self.objective.loss(point.value) for point in self.points]

    @cached_property
    def codes(self) -> list[list[int]]:
        """For each parameter the level of each point."""
        return [self._codes(each) for each in self.parameters]

    def _codes(self, parameter: Parameter) -> list[int]:
        values = [point.params.get(parameter.name) for point in self.points]
        return parameter.levels(values, [parameter.name in point.params for point in self.points])


def finished_value(run: RunRecord, objective: Objective) -> float | None:
    """The result of a run; None: it has not finished, or has no usable number."""
    return as_result(run.value(objective.key)) if run.state is State.FINISHED else None


def seed_options(search: SearchRecord) -> frozenset[str]:
    """The options that are seeds, by their names or because the search says so."""
    said = search.info.get('options', {}).get('seed_arg') or ''
    return frozenset([said, *filter(is_seed, search.configuration.options)])


def compared(search: SearchRecord, objective: Objective) -> Compared:
    """The results of a search by one objective.

    Runs count if they have finished with a usable number. Of several budgets it is the largest one with so many runs as
    are :data:`ENOUGH`, or the largest one.
    """
    valued = [(run, value) for run in search.runs if (value := finished_value(run, objective)) is not None]
    budget = _budget_of(search.budget(run) for run, _ in valued)
    counted = [(run, value) for run, value in valued if search.budget(run) == budget]
    aside = seed_options(search) | {search.fidelity}
    points = _points(counted, aside)
    about = _about(search, objective, valued, counted, len(points))
    return Compared(objective, [run for run, _ in counted], points, _parameters(search, points), about)


def _budget_of(budgets: Iterable[float]) -> float:
    count = Counter(budgets)
    enough = [budget for budget, runs in count.items() if runs >= ENOUGH]
    return max(enough or count, default=0.0)


def _points(counted: Sequence[tuple[RunRecord, float]], aside: frozenset[str]) -> list[Point]:
    groups: dict[tuple[str, ...], list[tuple[RunRecord, float]]] = {}
    for run, value in counted:
        known = tuple(f'{option}={setting!r}' for option, setting in run.params.items() if option not in aside)
        groups.setdefault(known, []).append((run, value))
    return [_point(group, aside) for group in groups.values()]


def _point(group: Sequence[tuple[RunRecord, float]], aside: frozenset[str]) -> Point:
    first = group[0][0]
    params = {option: value for option, value in first.params.items() if option not in aside}
    return Point(first.name, params, mean_of([value for _, value in group]), len(group))


def _parameters(search: SearchRecord, points: Sequence[Point]) -> list[Parameter]:
    distributions = search.configuration.distributions
    found = []
    for option in dict.fromkeys(option for point in points for option in point.params):
        values = [point.params[option] for point in points if option in point.params]
        if len(set(map(repr, values))) > 1 or len(values) < len(points):
            found.append(parameter_of(option, values, distributions.get(option)))
    return found


def _about(
    search: SearchRecord,
    objective: Objective,
    valued: Sequence[tuple[RunRecord, float]],
    counted: Sequence[tuple[RunRecord, float]],
    points: int,
) -> str:
    """Which runs count, and why others do not."""
    finished = sum(run.state is State.FINISHED for run in search.runs)
    without = [
        (len(search.runs) - finished, 'not finished'),
        (finished - len(valued), f'without a usable number for {objective.key}'),
        (len(valued) - len(counted), f'with other {search.fidelity or "budgets"}'),
    ]
    left_out = ', '.join(f'{number:,} {why}' for number, why in without if number)
    sentence = f'{len(counted):,} of {count_of(len(search.runs), "run")}' + (
        f' (left out: {left_out}).' if left_out else '.'
    )
    if search.fidelity and counted:
        sentence += f' All have {search.fidelity} = {search.budget(counted[0][0]):g}.'
    if points < len(counted):
        sentence += f' Runs with the same values, seeds aside, are one point, their mean: {count_of(points, "point")}.'
    return sentence
