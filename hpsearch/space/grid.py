"""The space of configurations: the product of a grid, its conditions and constraints, without duplicates.

Inside, a configuration is a tuple of *picks*: for each column (an option of the grid, or one that a condition adds) the
position of its value among the values of that column. Only what leaves this module has values.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice, product, repeat
from operator import getitem
from typing import Any, TypeAlias

from hpsearch.arguments.style import words_of
from hpsearch.model.configuration import Condition, Constraint, Grid, Not, Params, Value
from hpsearch.model.errors import ConfigError
from hpsearch.space.order import Order

Picks: TypeAlias = tuple[int, ...]

Axis: TypeAlias = Sequence[Picks]
"""The picks of columns that stand side by side and take their values together; of most options, of one column."""

GIVE_UP_AFTER = 100_000
"""Raw combinations in a row without a new configuration that end a draw from a large space."""

ALWAYS_ENUMERATED = 1_000_000
"""A space of at most this many raw combinations is always enumerated to its end."""

_GROUP_SIZE = 1024


class _Absent:
    def __repr__(self) -> str:
        return 'absent'


ABSENT = _Absent()
"""The value of a column that a configuration does not have."""


@dataclass(frozen=True)
class _Rule:
    """A condition in terms of picks: each of ``then`` is a column and the picks it is replaced by."""

    columns: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]

    def replace(self, picks: Picks) -> Iterator[Picks]:
        for chosen in product(*self.choices):
            replaced = list(picks)
            for column, pick in zip(self.columns, chosen, strict=True):
                replaced[column] = pick
            yield tuple(replaced)


class Space:
    """What a grid, its conditions and its constraints allow.

    Args:
        grid: Option name to its values, none of the lists empty.
        conditions: Pairs ``(when, then)``. A configuration whose values are (``==``) among those of ``when`` is
            replaced by the product of ``then`` (the last option fastest), the rest taken from it; each condition is
            applied to the results of the ones before. An empty ``then`` changes nothing, an empty list in it leaves the
            configuration out.
        constraints: Predicates; a configuration is left out when one of them is false.
        words: The words that give an option its value; configurations with the same words are one.
        rows: The parts of the grid, each the product of its own lists; empty: the grid has only one part.
        zipped: Groups of options whose lists have equal lengths in each part that has them. They take their values
            together: the first of each, the second of each, and so on. A group stands where its first option does.

    Attributes:
        raw_size: Number of combinations of the grid, before conditions.
        unenforceable: Indices of the conditions whose when-part names an option that the grid does not have.
        columns: All options, those that only conditions add at the end.
        values: For each column its values; ``ABSENT`` is the first where a configuration can be without it.
    """

    def __init__(
        self,
        grid: Grid,
        conditions: Sequence[Condition] = (),
        constraints: Sequence[Constraint] = (),
        words: Callable[[str, Value], tuple[str, ...]] = words_of,
        rows: Sequence[Grid] = (),
        zipped: Sequence[Sequence[str]] = (),
    ) -> None:
        if not grid:
            raise ConfigError(['grid: is empty; at least one option with its values is expected.'])
        groups = groups_of_options(grid, zipped)
        grid = {option: grid[option] for option in chain.from_iterable(groups)}
        self.constraints = tuple(constraints)
        self.conditions = tuple(conditions)
        self.values: list[list[Value]] = [
            [*([ABSENT] if any(option not in row for row in rows) else []), *values] for option, values in grid.items()
        ]
        self._interners: dict[int, Callable[[Value], int]] = {}
        self._places = {option: place for place, option in enumerate(grid)}
        self._given = len(grid)
        whole = {option: range(len(values)) for option, values in grid.items()}
        self.parts = [_axes(picks, groups) for picks in map(self._picks, rows)] or [_axes(whole, groups)]
        self._sizes = [math.prod(map(len, part)) for part in self.parts]
        self.raw_size = sum(self._sizes)
        enforced = [index for index, (when, _) in enumerate(conditions) if all(option in grid for option in when)]
        self.unenforceable = tuple(index for index in range(len(conditions)) if index not in enforced)
        self.rules = {index: self._rule(conditions[index][1]) for index in enforced}
        self.columns = tuple(self._places)
        self.weights = self._weights(words)
        self._may_lack = any(values[0] is ABSENT for values in self.values)
        self._enforced = sum(1 << index for index in enforced)
        self._tests = self._tests_of_columns()

    def _picks(self, row: Grid) -> dict[str, Sequence[int]]:
        return {option: tuple(map(self._interned(self._places[option]), values)) for option, values in row.items()}

    def _rule(self, then: Mapping[str, Sequence[Value]]) -> _Rule:
        columns = tuple(self._place(option) for option in then)
        picks = (tuple(map(self._interned(column), then[option])) for column, option in zip(columns, then, strict=True))
        return _Rule(columns, tuple(picks))

    def _place(self, option: str) -> int:
        if option not in self._places:
            self._places[option] = len(self.values)
            self.values.append([ABSENT])
        return self._places[option]

    def _interned(self, column: int) -> Callable[[Value], int]:
        """A function from a value to its pick; values that the column does not have yet are added to it."""
        if column not in self._interners:
            self._interners[column] = self._new_interner(column)
        return self._interners[column]

    def _new_interner(self, column: int) -> Callable[[Value], int]:
        values = self.values[column]
        known: dict[tuple[type, str], int] = {
            (type(value), repr(value)): pick for pick, value in reversed(list(enumerate(values)))
        }

        def pick_of(value: Value) -> int:
            pick = known.setdefault((type(value), repr(value)), len(values))
            if pick == len(values):
                values.append(value)
            return pick

        return pick_of

    def _tests_of_columns(self) -> list[tuple[int, list[int]]]:
        """For each column that a when-part names: per pick, the conditions that it does not rule out, as bits."""
        named = {option for index in self.rules for option in self.conditions[index][0]}
        return [
            (column, [self._not_ruled_out(option, value) for value in self.values[column]])
            for column, option in enumerate(self.columns)
            if option in named
        ]

    def _not_ruled_out(self, option: str, value: Value) -> int:
        return sum(1 << index for index in self.rules if accepts(self.conditions[index][0], option, value))

    def _weights(self, words_of: Callable[[str, Value], tuple[str, ...]]) -> list[list[int]]:
        """A number per column and pick; two configurations have equal sums exactly when they have equal words."""
        weights, unit = [], 1
        for option, values in zip(self.columns, self.values, strict=True):
            words = [() if value is ABSENT else words_of(option, value) for value in values]
            ranks = {text: rank for rank, text in enumerate(dict.fromkeys(words))}
            weights.append([unit * ranks[text] for text in words])
            unit *= len(ranks)
        return weights

    def matching(self, picks: Picks) -> int:
        """The conditions that match, as bits (condition ``i`` is bit ``i``)."""
        conditions: int = self._enforced
        for column, not_ruled_out in self._tests:
            conditions &= not_ruled_out[picks[column]]
        return conditions

    @property
    def may_repeat(self) -> bool:
        """Whether two raw combinations can become the same configuration."""
        return (
            bool(self.rules) or len(self.parts) > 1 or any(len(set(weights)) < len(weights) for weights in self.weights)
        )

    def params(self, picks: Picks) -> Params:
        """The configuration with its values, in command-line order."""
        chosen = zip(self.columns, map(getitem, self.values, picks), strict=True)
        if not self._may_lack:
            return dict(chosen)
        return {option: value for option, value in chosen if value is not ABSENT}

    def decoder(self) -> Callable[[int], Picks]:
        """A function from the number of a raw combination to its picks; the last option changes fastest."""
        added = len(self.columns) - self._given
        if len(self.parts) == 1:
            return _decoder(self.parts[0], added)
        decoders, ends = [_decoder(part, added) for part in self.parts], list(accumulate(self._sizes))

        def decode(index: int) -> Picks:
            place = bisect_right(ends, index)
            return decoders[place](index - (ends[place - 1] if place else 0))

        return decode

    def most(self) -> int:
        """An upper bound of the number of configurations."""
        growth = (math.prod(map(len, rule.choices)) for rule in self.rules.values())
        return self.raw_size * math.prod(max(1, factor) for factor in growth)

    def expand(self, order: Order) -> Expansion:
        """The configurations in order, each once; lazily, in memory that grows with those drawn."""
        return Expansion(self, order)


def accepts(when: Mapping[str, Any], option: str, value: Value) -> bool:
    """Whether a when-part lets this value of an option, or that it is absent, pass."""
    wanted = when.get(option, Not(()))
    if value is ABSENT:
        return option not in when
    return value not in wanted.values if isinstance(wanted, Not) else value in list(wanted)


def is_allowed(constraints: Sequence[Constraint], params: Callable[[], Params]) -> bool:
    """Whether all constraints allow a configuration; each gets its own ``params()``, which it may change.

    Raises:
        ConfigError: One of them raised an exception.
    """
    for index, constraint in enumerate(constraints):
        try:
            allowed = constraint(params())
        except Exception as error:
            name = getattr(constraint, '__name__', repr(constraint))
            raise ConfigError([f'constraints[{index}] ({name}) raised {error!r} for {params()}.']) from error
        if not allowed:
            return False
    return True


class Expansion(Iterator[Params]):
    """The configurations of a space in turn, with counts that are final at the end.

    Attributes:
        picks: The same iteration, as picks.
        drawn: Raw combinations that were drawn.
        duplicates: Configurations left out because an earlier one has the same words.
        rejected: Configurations left out by a constraint, or by a condition with an empty list.
        fired: For each condition, how often it matched.
        stopped: Why it ended before its limit and before the end of the space, or empty.

    Raises:
        ConfigError: While iterating: a constraint raised an exception.
    """

    def __init__(self, space: Space, order: Order) -> None:
        self.space = space
        self.order = order
        self.drawn = 0
        self.duplicates = 0
        self.rejected = 0
        self.fired = [0] * len(space.conditions)
        self.stopped = ''
        self._last_new = 0
        self.picks = islice(self._allowed(), order.limit)

    def __iter__(self) -> Expansion:
        return self

    def __next__(self) -> Params:
        return self.space.params(next(self.picks))

    def _allowed(self) -> Iterator[Picks]:
        fresh = self._fresh() if self.space.may_repeat else self._all()
        for picks in fresh if not self.space.constraints else filter(self._is_allowed, fresh):
            self._last_new = self.drawn
            yield picks

    def _is_allowed(self, picks: Picks) -> bool:
        allowed = is_allowed(self.space.constraints, lambda: self.space.params(picks))
        self.rejected += not allowed
        return allowed

    def _fresh(self) -> Iterator[Picks]:
        seen: set[int] = set()
        weights = self.space.weights
        for picks in self._all():
            code = sum(map(getitem, weights, picks))
            if code in seen:
                self.duplicates += 1
            else:
                seen.add(code)
                yield picks

    def _all(self) -> Iterator[Picks]:
        matching = self.space.matching
        for picks in self._raw():
            conditions = matching(picks)
            if conditions:
                yield from self._replaced(picks, conditions)
            else:
                yield picks

    def _replaced(self, picks: Picks, conditions: int) -> Iterator[Picks]:
        """The picks after the first matching condition and all later ones were applied."""
        index = (conditions & -conditions).bit_length() - 1
        self.fired[index] += 1
        rule = self.space.rules[index]
        if not all(rule.choices):
            self.rejected += 1
        for replaced in rule.replace(picks):
            later = self.space.matching(replaced) >> index + 1 << index + 1
            if later:
                yield from self._replaced(replaced, later)
            else:
                yield replaced

    def _raw(self) -> Iterator[Picks]:
        may_give_up = self.order.limit is not None and self.space.raw_size > ALWAYS_ENUMERATED
        decode = self.space.decoder()
        for index in self.order.indices(self.space.raw_size):
            if may_give_up and self.drawn - self._last_new >= GIVE_UP_AFTER:
                self.stopped = f'no new configuration in {GIVE_UP_AFTER} draws'
                return
            self.drawn += 1
            yield decode(index)


def groups_of_options(grid: Grid, zipped: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The options that take their values together, or alone, each in the place of the first of them."""
    in_order = (tuple(option for option in grid if option in group) for group in zipped)
    group_of = {option: group for group in in_order for option in group}
    return list(dict.fromkeys(group_of.get(option, (option,)) for option in grid))


def _axes(picks: Mapping[str, Sequence[int]], groups: Sequence[Sequence[str]]) -> list[Axis]:
    """The axes of a part of a grid; an option that it does not have is absent."""
    return [_axis([picks.get(option) for option in group]) for group in groups]


def _axis(columns: Sequence[Sequence[int] | None]) -> Axis:
    length = next((len(picks) for picks in columns if picks is not None), 1)
    return list(zip(*(repeat(0, length) if picks is None else picks for picks in columns), strict=True))


def _decoder(axes: Sequence[Axis], added: int) -> Callable[[int], Picks]:
    """A function from an index in ``itertools.product`` order to its picks; tables decode several columns at once."""
    groups = [(math.prod(map(len, group)), _table(group)) for group in _groups(axes)]
    groups.reverse()
    absent = (0,) * added

    def decode(index: int) -> Picks:
        picks = absent
        for size, table in groups:
            index, rest = divmod(index, size)
            picks = table[rest] + picks
        return picks

    return decode


def _groups(axes: Sequence[Axis]) -> list[list[Axis]]:
    groups: list[list[Axis]] = []
    for axis in axes:
        if groups and math.prod(map(len, groups[-1])) * len(axis) <= _GROUP_SIZE:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _table(axes: Sequence[Axis]) -> list[Picks]:
    return [tuple(chain.from_iterable(picks)) for picks in product(*axes)]
