"""The space that a sampler proposes values from, and what a run gets of them, by conditions and constraints.

A *dimension* is what a sampler chooses a value of: an option with several values or a distribution, a group of zipped
options, the row of a grid that has several, or an option that a condition sets to one of several values. A run uses the
dimensions that its row and its conditions ask for; what a sampler proposes for the others makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice
from random import Random
from typing import Any, TypeAlias

from hpsearch.arguments.style import words_of
from hpsearch.model.configuration import Configuration, Grid, Params, Value
from hpsearch.model.trials.distributions import (
    Choice,
    Distribution,
    Drawn,
    Fidelity,
    Integer,
    Space,
    Uniform,
    choice_of,
)
from hpsearch.space.grid import ABSENT, accepts, groups_of_options, is_allowed

ROW = 'row of the grid'
"""The dimension of a grid that is a list; no option can have a space in its name."""

COUNTED = 20_000
"""A space of at most this many runs is known to be finite."""

Values: TypeAlias = Mapping[str, Value]
"""Dimension to its value."""

_Pick: TypeAlias = Callable[[str], Value]


@dataclass(frozen=True)
class _Source:
    """Where options get their values from.

    Attributes:
        options: The options; several take their values together.
        dimension: The dimension; empty: they have no choice.
        fixed: Their values then.
    """

    options: Sequence[str]
    dimension: str
    fixed: Sequence[Value] = ()

    def params(self, pick: _Pick) -> Params:
        if not self.dimension:
            return dict(zip(self.options, self.fixed, strict=True))
        value = pick(self.dimension)
        return dict(zip(self.options, value if len(self.options) > 1 else [value], strict=True))


class SampledSpace:
    """What a configuration allows, as dimensions and as the runs that their values make.

    Args:
        configuration: It has a grid, with or without distributions.
        words: The words that give an option its value; runs with the same words are one.

    Attributes:
        space: The dimensions with their distributions; that of a fidelity has the name of its option.
        fidelity: The option that is a fidelity; empty: there is none.
    """

    def __init__(self, configuration: Configuration, words: Callable[[str, Value], tuple[str, ...]] = words_of) -> None:
        self._words = words
        self._constraints = configuration.constraints
        self._dimensions: dict[str, Distribution] = {}
        grid, rows = configuration.grid, configuration.rows or [configuration.grid]
        groups = groups_of_options(grid, configuration.zipped)
        if len(rows) > 1:
            self._dimensions[ROW] = Choice(tuple(range(len(rows))))
        self._rows = [self._sources_of_row(index, row, groups) for index, row in enumerate(rows)]
        self._rules = [
            (when, None if not all(map(len, then.values())) else self._sources_of_then(index, then))
            for index, (when, then) in enumerate(configuration.conditions)
            if all(option in grid for option in when)
        ]
        self._columns = tuple(dict.fromkeys([*chain(*groups), *self._options_of_rules()]))
        self.space: Space = dict(self._dimensions)
        self.fidelity = next((name for name, each in self.space.items() if isinstance(each, Fidelity)), '')

    def _sources_of_row(self, index: int, row: Grid, groups: Sequence[Sequence[str]]) -> list[_Source]:
        own = [[option for option in group if option in row] for group in groups]
        return [self._source(options, row, f'grid[{index}]', may_share=True) for options in own if options]

    def _sources_of_then(self, index: int, then: Mapping[str, Sequence[Value]]) -> list[_Source]:
        # A condition may replace a value by one of the same list: that is another choice than the first one.
        return [self._source([option], then, f'conditions[{index}]', may_share=False) for option in then]

    def _source(
        self, options: Sequence[str], part: Mapping[str, Sequence[Value]], where: str, *, may_share: bool
    ) -> _Source:
        columns = [part[option] for option in options]
        distribution = _distribution_of(columns)
        if isinstance(distribution, Choice) and len(distribution.values) == 1:
            return _Source(options, '', [column[0] for column in columns])
        name = ' + '.join(options)
        known = self._dimensions.get(name)
        if known is not None and not (may_share and repr(known) == repr(distribution)):
            name = f'{name} of {where}'
        self._dimensions[name] = distribution
        return _Source(options, name)

    def _options_of_rules(self) -> Iterator[str]:
        return (option for _, then in self._rules for source in then or () for option in source.options)

    def params(self, values: Values) -> Params | None:
        """What a run gets of proposed values, in command-line order; None: it is not allowed.

        Args:
            values: Value of each dimension that the run asks for; without that of a fidelity, it gets the whole budget.

        Raises:
            ConfigError: A constraint raised an exception.
            KeyError: A value is missing.
        """
        params = self._resolved(self._pick_from(values))
        if params is None:
            return None
        return params if is_allowed(self._constraints, partial(dict, params)) else None

    @property
    def has_parts(self) -> bool:
        """Whether runs may differ in which dimensions they ask for."""
        return len(self._rows) > 1 or bool(self._rules)

    def used(self, values: Values) -> Values:
        """The values that the run asks for: the others make no difference."""
        asked: dict[str, Value] = {}
        pick = self._pick_from(values)

        def noting(dimension: str) -> Value:
            asked[dimension] = pick(dimension)
            return asked[dimension]

        self._resolved(noting)
        return {name: value for name, value in values.items() if name in asked}

    def key(self, values: Values) -> Hashable | None:
        """What is equal for values that make the same run, whatever its budget; None: it is not allowed."""
        params = self.params(values)
        return None if params is None else self._key_of(params)

    def _key_of(self, params: Params) -> Hashable:
        words = ((option, self._words(option, value)) for option, value in params.items() if option != self.fidelity)
        return frozenset(pair for pair in words if pair[1])

    def _pick_from(self, values: Values) -> _Pick:
        def pick(dimension: str) -> Value:
            distribution = self._dimensions[dimension]
            if isinstance(distribution, Fidelity):
                return values.get(dimension, distribution.high)
            return values[dimension]

        return pick

    def _resolved(self, pick: _Pick) -> Params | None:
        """The values of a run before constraints, in order; None: a condition leaves it out."""
        row = self._rows[pick(ROW)] if len(self._rows) > 1 else self._rows[0]
        params = _params_of(row, pick)
        for when, then in self._rules:
            if all(accepts(when, option, params.get(option, ABSENT)) for option in when):
                if then is None:
                    return None
                params.update(_params_of(then, pick))
        return {option: params[option] for option in self._columns if option in params}

    # Spaces that have an end

    @cached_property
    def is_finite(self) -> bool:
        """Whether there is an end of the runs, and not too far."""
        counts = {name: _count(each) for name, each in self._dimensions.items()}
        if None in counts.values() or sum(math.prod(_sizes(row, counts)) for row in self._rows) > COUNTED:
            return False
        return next(islice(self._outcomes(), COUNTED, None), None) is None

    @cached_property
    def all_runs(self) -> Mapping[Hashable, Values]:
        """Of a finite space, each run once: its key, and values that make it; empty if it is not finite."""
        found: dict[Hashable, Values] = {}
        for values in self._outcomes() if self.is_finite else ():
            key = self.key(values)
            if key is not None:
                found.setdefault(key, values)
        return found

    def untried(self, tried: Collection[Hashable], random: Random) -> Values | None:
        """Values of a run of a finite space that is not among those tried; None: there is none, or it is not finite."""
        left = [values for key, values in self.all_runs.items() if key not in tried]
        return random.choice(left) if left else None

    def is_exhausted(self, tried: Collection[Hashable]) -> bool:
        """Whether the space is finite and every run of it is among those tried."""
        return self.is_finite and all(key in tried for key in self.all_runs)

    def _outcomes(self) -> Iterator[Values]:
        """All combinations of the dimensions that runs ask for; the last one asked for changes fastest."""
        chosen: list[tuple[str, int]] | None = []
        while chosen is not None:
            asked = self._asked(chosen)
            middle = {name: each.at(0.5) for name, each in self._dimensions.items() if not isinstance(each, Fidelity)}
            yield middle | {name: _nth(self._dimensions[name], place) for name, place in asked}
            chosen = self._next(asked)

    def _asked(self, chosen: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """The dimensions that a run asks for, in order, and the place of each value: those chosen, then the first."""
        asked: dict[str, int] = {}
        places = dict(chosen)

        def pick(dimension: str) -> Value:
            distribution = self._dimensions[dimension]
            if isinstance(distribution, Fidelity):
                return distribution.high
            asked.setdefault(dimension, places.get(dimension, 0))
            return _nth(distribution, asked[dimension])

        self._resolved(pick)
        return list(asked.items())

    def _next(self, asked: Sequence[tuple[str, int]]) -> list[tuple[str, int]] | None:
        for end in range(len(asked), 0, -1):
            name, place = asked[end - 1]
            if place + 1 < (_count(self._dimensions[name]) or 0):
                return [*asked[: end - 1], (name, place + 1)]
        return None


def _sizes(row: Sequence[_Source], counts: Mapping[str, int | None]) -> Iterator[int]:
    return (counts[source.dimension] or 1 for source in row if source.dimension)


def _params_of(sources: Sequence[_Source], pick: _Pick) -> Params:
    params: Params = {}
    for source in sources:
        params.update(source.params(pick))
    return params


def _distribution_of(columns: Sequence[Sequence[Value]]) -> Distribution:
    """That of an option, or of several that take their values together."""
    first = columns[0]
    if len(columns) > 1:
        return Choice(tuple([list(together) for together in zip(*columns, strict=True)]))
    return first.distribution if isinstance(first, Drawn) else choice_of(first)


def _count(distribution: Distribution) -> int | None:
    """How many values there are; None: there is no end of them."""
    match distribution:
        case Choice(values=values):
            return len(values)
        case Integer(low=low, high=high, step=step):
            return (high - low) // step + 1
        case Uniform(low=low, high=high, step=step) if step is not None:
            return math.floor((high - low) / step + 1e-9) + 1
        case Fidelity():
            return 1
    return None


def _nth(distribution: Any, place: int) -> Value:
    """One of the values of a distribution that has an end of them."""
    if isinstance(distribution, Choice):
        return distribution.values[place]
    if isinstance(distribution, Integer):
        return distribution.low + place * distribution.step
    return distribution.at((place + 0.5) / (_count(distribution) or 1))
