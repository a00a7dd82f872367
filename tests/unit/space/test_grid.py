"""Expansion: the original's rules, the order, and what is told about it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpsearch.space.grid
from hpsearch.model.configuration import Condition, Grid, Not, Params
from hpsearch.model.errors import ConfigError
from hpsearch.space.grid import Expansion, Space
from hpsearch.space.order import Order
from tests.support.harness import option_words

VALUES = st.sampled_from([0, 1, 1.0, True, False, None, '1', '"1"', 'a', '', -1, 1e-8])
NAMES = st.sampled_from(['a', 'b', 'c', 'd', 'e'])
LISTS = st.lists(VALUES, min_size=1, max_size=4)
# Conditions multiply what the grid has; lists this short keep every space below some ten thousand commands.
GRIDS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=4)
THENS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2), max_size=2)
WHENS = st.dictionaries(NAMES, LISTS | LISTS.map(Not), max_size=2)
CONDITIONS = st.lists(st.tuples(WHENS, THENS), max_size=4)
SEEDS = st.integers(0, 10**6)


def expanded(grid: Any, conditions: Sequence[Condition] = (), **order: Any) -> list[Params]:
    """Return all configurations."""
    return list(Space(grid, conditions).expand(Order(**order)))


def drained(space: Space, **order: Any) -> Expansion:
    """Return an expansion that has been iterated to its end."""
    expansion = space.expand(Order(**order))
    for _ in expansion:
        pass
    return expansion


def keys(configurations: list[Params]) -> list[frozenset[str]]:
    """Return what makes configurations the same."""
    return [frozenset(option_words(params)) for params in configurations]


def product_of(part: Any) -> Iterator[Params]:
    """Return the dicts of a product, last key fastest."""
    return (dict(zip(part, chosen, strict=True)) for chosen in itertools.product(*part.values()))


def by_the_rules(grid: Grid, conditions: list[Condition]) -> list[Params]:
    """Return the configurations in the order of the grid, as plainly as the rules can be written down."""
    groups = [[raw] for raw in product_of(grid)]
    for when, then in conditions:
        if all(option in grid for option in when):
            groups = [[new for command in group for new in replaced(command, when, then)] for group in groups]
    unique: dict[frozenset[str], Params] = {}
    for command in itertools.chain(*groups):
        unique.setdefault(frozenset(option_words(command)), command)
    return list(unique.values())


def replaced(command: Params, when: Any, then: Any) -> list[Params]:
    """Return what one condition makes of one command."""
    for option, wanted in when.items():
        inside = command[option] in (wanted.values if isinstance(wanted, Not) else wanted)
        if inside == isinstance(wanted, Not):
            return [command]
    return [{**command, **new} for new in product_of(then)]


@given(GRIDS, CONDITIONS, SEEDS)
def test_that_the_set_of_commands_is_what_the_rules_give(grid: Grid, conditions: list[Condition], seed: int) -> None:
    expected = by_the_rules(grid, conditions)
    assert set(keys(expanded(grid, conditions, seed=seed))) == set(keys(expected))


@given(GRIDS, CONDITIONS)
def test_that_the_deterministic_order_is_that_of_the_grid(grid: Grid, conditions: list[Condition]) -> None:
    assert keys(expanded(grid, conditions, deterministic=True)) == keys(by_the_rules(grid, conditions))


@given(GRIDS, CONDITIONS, SEEDS)
def test_that_nothing_is_there_twice(grid: Grid, conditions: list[Condition], seed: int) -> None:
    found = keys(expanded(grid, conditions, seed=seed))
    assert len(set(found)) == len(found)


@given(GRIDS, CONDITIONS, SEEDS, st.integers(0, 30), st.booleans())
def test_that_a_larger_limit_extends_the_same_prefix(
    grid: Grid, conditions: list[Condition], seed: int, limit: int, deterministic: bool
) -> None:
    whole = expanded(grid, conditions, seed=seed, deterministic=deterministic)
    assert expanded(grid, conditions, seed=seed, deterministic=deterministic, limit=limit) == whole[:limit]


@given(GRIDS, CONDITIONS, SEEDS)
def test_that_drawing_one_by_one_gives_what_drawing_at_once_gives(
    grid: Grid, conditions: list[Condition], seed: int
) -> None:
    lazy = Space(grid, conditions).expand(Order(seed=seed))
    assert [next(lazy) for _ in range(len(expanded(grid, conditions, seed=seed)))] == expanded(
        grid, conditions, seed=seed
    )
    assert next(lazy, None) is None


@given(GRIDS, CONDITIONS)
def test_that_every_command_that_was_made_is_accounted_for(grid: Grid, conditions: list[Condition]) -> None:
    space = Space(grid, conditions)
    expansion = space.expand(Order())
    runs = len(list(expansion))
    assert expansion.drawn == space.raw_size
    assert runs + expansion.duplicates >= space.raw_size
    assert runs <= space.most()


PRINTED = """
from hpsearch.space.grid import Space
from hpsearch.space.order import Order
grid = {'a': ['x', 'y', 'z'], 'b': [None, True, 'w'], 'c': list(range(900))}
conditions = [({'a': ['x']}, {'b': ['v', 'u']})]
print(list(Space(grid, conditions).expand(Order(limit=300))))
"""


def printed(hash_seed: str) -> str:
    """Return what another process makes of the same space."""
    environment = {**os.environ, 'PYTHONHASHSEED': hash_seed}
    root = Path(hpsearch.space.grid.__file__).parents[2]
    done = subprocess.run([sys.executable, '-c', PRINTED], capture_output=True, cwd=root, env=environment, check=True)
    return done.stdout.decode()


def test_that_the_order_is_the_same_in_every_process() -> None:
    assert printed('0') == printed('1') == printed('2')


def test_that_seeds_give_different_orders_of_the_same_configurations() -> None:
    grid = {'a': list(range(10)), 'b': list(range(10))}
    one, other = expanded(grid, seed=1), expanded(grid, seed=2)
    assert one != other
    assert set(keys(one)) == set(keys(other))


def test_that_a_grid_of_a_trillion_gives_a_sample_without_repetition() -> None:
    grid: Grid = {f'option{number}': list(range(100)) for number in range(6)}
    expansion = Space(grid).expand(Order(limit=500))
    found = list(expansion)
    assert len(set(keys(found))) == 500
    assert expansion.drawn == 500
    assert Space(grid).raw_size == 10**12


def test_that_a_grid_beyond_machine_words_can_be_sampled() -> None:
    grid: Grid = {f'option{number}': list(range(1000)) for number in range(10)}
    assert len(set(keys(expanded(grid, limit=50)))) == 50
    assert len(expanded(grid, limit=3, deterministic=True)) == 3


def test_that_a_draw_that_brings_nothing_new_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.space.grid, 'GIVE_UP_AFTER', 1000)
    grid: Grid = {'a': list(range(10**4)), 'b': list(range(10**4))}
    everything_is_the_same: list[Condition] = [({}, {'a': [0], 'b': [0, 1]})]
    expansion = Space(grid, everything_is_the_same).expand(Order(limit=10))
    assert len(list(expansion)) == 2
    assert expansion.stopped == 'no new configuration in 1000 draws'
    assert expansion.drawn == 1001


def test_that_a_small_space_is_looked_at_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.space.grid, 'GIVE_UP_AFTER', 5)
    space = Space({'a': list(range(100))}, constraints=[lambda params: bool(params['a'] == 77)])
    expansion = space.expand(Order(limit=3))
    assert list(expansion) == [{'a': 77}]
    assert (expansion.drawn, expansion.rejected, expansion.stopped) == (100, 99, '')


def test_that_conditions_act_one_after_the_other_on_the_results() -> None:
    conditions: list[Condition] = [({'a': [1]}, {'a': [2], 'b': [7, 8]}), ({'a': [2]}, {'c': [9]})]
    assert expanded({'a': [1], 'b': [0], 'c': [0]}, conditions, deterministic=True) == [
        {'a': 2, 'b': 7, 'c': 9},
        {'a': 2, 'b': 8, 'c': 9},
    ]


def test_that_an_earlier_condition_does_not_see_the_results_of_a_later_one() -> None:
    conditions: list[Condition] = [({'a': [2]}, {'c': [9]}), ({'a': [1]}, {'a': [2]})]
    assert expanded({'a': [1], 'c': [0]}, conditions) == [{'a': 2, 'c': 0}]


def test_that_values_match_by_equality() -> None:
    conditions: list[Condition] = [({'a': [1]}, {'b': ['matched']})]
    found = expanded({'a': [1.0, True, '1', 2], 'b': ['no']}, conditions, deterministic=True)
    assert [params['b'] for params in found] == ['matched', 'matched', 'no', 'no']


def test_that_not_matches_every_other_value() -> None:
    conditions: list[Condition] = [({'a': Not([1, 2])}, {'b': ['other']})]
    found = expanded({'a': [1, 2, 3], 'b': ['same']}, conditions, deterministic=True)
    assert [params['b'] for params in found] == ['same', 'same', 'other']


def test_that_not_of_one_value_is_not_of_a_list_with_it() -> None:
    assert Not('adam') == Not(['adam'])
    assert Not('adam') != Not(['a', 'd', 'a', 'm'])
    assert len({Not(1), Not([1])}) == 1


def test_that_a_condition_can_add_an_option_at_the_end() -> None:
    conditions: list[Condition] = [({'a': [1]}, {'new': [5, 6]})]
    found = expanded({'a': [1, 2], 'b': [0]}, conditions, deterministic=True)
    assert [list(params.items()) for params in found] == [
        [('a', 1), ('b', 0), ('new', 5)],
        [('a', 1), ('b', 0), ('new', 6)],
        [('a', 2), ('b', 0)],
    ]


def test_that_an_added_flag_that_is_false_is_as_if_it_were_not_there() -> None:
    conditions: list[Condition] = [({'a': [1]}, {'a': [2], 'flag': [False]})]
    assert len(expanded({'a': [1, 2]}, conditions)) == 1


def test_that_a_condition_on_an_option_outside_the_grid_is_named_and_skipped() -> None:
    conditions: list[Condition] = [
        ({'a': [1]}, {'new': [5]}),
        ({'new': [5]}, {'a': [3]}),
        ({'a': [9]}, {'a': [3]}),
    ]
    space = Space({'a': [1, 2]}, conditions)
    expansion = drained(space)
    assert space.unenforceable == (1,)
    assert expansion.fired == [1, 0, 0]


def test_that_an_empty_then_part_changes_nothing() -> None:
    assert expanded({'a': [1, 2]}, [({'a': [1]}, {})], deterministic=True) == [{'a': 1}, {'a': 2}]


def test_that_an_empty_list_in_a_then_part_leaves_the_configuration_out() -> None:
    expansion = Space({'a': [1, 2]}, [({'a': [1]}, {'b': []})]).expand(Order())
    assert list(expansion) == [{'a': 2}]
    assert expansion.rejected == 1


def test_that_a_huge_then_part_is_not_built_for_a_small_sample() -> None:
    conditions: list[Condition] = [({}, {f'new{number}': list(range(100)) for number in range(8)})]
    assert len(expanded({'a': [1]}, conditions, limit=5)) == 5


@pytest.mark.parametrize(
    ('values', 'runs'),
    [([1, 1.0, True], 3), ([1, 1], 1), (['1', 1], 1), (['"1"', '1', "'1'"], 1), ([False, None], 2), (['""', ''], 1)],
)
def test_that_runs_are_the_same_when_their_words_are(values: list[Any], runs: int) -> None:
    assert len(expanded({'a': values, 'b': [0]})) == runs


def test_that_duplicates_are_counted() -> None:
    assert drained(Space({'a': [1, 1, 2]})).duplicates == 1


def test_that_a_constraint_that_raises_is_named() -> None:
    def no_such_option(params: Params) -> bool:
        return bool(params['b'])

    with pytest.raises(ConfigError, match=r"constraints\[0\] \(no_such_option\) raised KeyError\('b'\)"):
        list(Space({'a': [1]}, constraints=[no_such_option]).expand(Order()))


def test_that_a_constraint_cannot_change_a_configuration() -> None:
    def greedy(params: Params) -> bool:
        params.clear()
        return True

    assert list(Space({'a': [1]}, constraints=[greedy]).expand(Order())) == [{'a': 1}]


def test_that_an_empty_grid_is_refused() -> None:
    with pytest.raises(ConfigError, match='at least one option'):
        Space({})


# A grid of several parts

ROWS = st.lists(
    st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2), min_size=1, max_size=3), min_size=1, max_size=4
)


def space_of(rows: Sequence[Grid], conditions: Sequence[Condition] = (), **more: Any) -> Space:
    """Return the space of a grid that is a list."""
    grid: Grid = {}
    for row in rows:
        for option, values in row.items():
            grid[option] = [*grid.get(option, ()), *values]
    return Space(grid, conditions, rows=rows, **more)


def by_the_rules_of_rows(rows: Sequence[Grid], conditions: list[Condition]) -> set[frozenset[str]]:
    """Return the commands of a grid that is a list, as plainly as the rules can be written down."""
    known = {option for row in rows for option in row}
    commands = [command for row in rows for command in product_of(row)]
    for when, then in conditions:
        if known.issuperset(when):
            groups = (replaced(each, when, then) if when.keys() <= each.keys() else [each] for each in commands)
            commands = list(itertools.chain(*groups))
    return set(keys(commands))


@given(ROWS, CONDITIONS, SEEDS)
def test_that_each_part_of_a_grid_is_expanded_by_itself(
    rows: list[Grid], conditions: list[Condition], seed: int
) -> None:
    found = keys(list(space_of(rows, conditions).expand(Order(seed=seed))))
    assert set(found) == by_the_rules_of_rows(rows, conditions)
    assert len(found) == len(set(found)), 'each once'


@given(ROWS, CONDITIONS, SEEDS, st.integers(1, 20))
def test_that_a_limit_gives_the_first_commands_of_all_parts(
    rows: list[Grid], conditions: list[Condition], seed: int, limit: int
) -> None:
    space = space_of(rows, conditions)
    assert list(space.expand(Order(seed=seed, limit=limit))) == list(space.expand(Order(seed=seed)))[:limit]


def test_that_parts_come_one_after_the_other_in_the_order_of_the_grid() -> None:
    rows: list[Grid] = [{'a': [1, 2], 'b': ['x', 'y']}, {'c': [3]}, {'b': ['y'], 'a': [2]}, {'a': [9]}]
    space = space_of(rows)
    assert space.raw_size == 7
    assert list(space.expand(Order(deterministic=True))) == [
        {'a': 1, 'b': 'x'},
        {'a': 1, 'b': 'y'},
        {'a': 2, 'b': 'x'},
        {'a': 2, 'b': 'y'},
        {'c': 3},
        {'a': 9},
    ]
    assert drained(space).duplicates == 1


def test_that_an_option_that_a_part_lacks_has_no_value_that_a_condition_can_match() -> None:
    rows: list[Grid] = [{'a': [1]}, {'a': [1], 'b': [2, 3]}]
    space = space_of(rows, [({'b': Not([2])}, {'c': [0]})])
    assert list(space.expand(Order(deterministic=True))) == [{'a': 1}, {'a': 1, 'b': 2}, {'a': 1, 'b': 3, 'c': 0}]


def test_that_constraints_see_only_the_options_of_a_part() -> None:
    space = space_of([{'a': [1]}, {'b': [2]}], constraints=[lambda params: 'b' in params])
    assert list(space.expand(Order())) == [{'b': 2}]


def test_that_a_design_of_many_rows_is_drawn_in_any_order_and_as_it_is() -> None:
    rows: list[Grid] = [{'lr': [row / 1000], 'depth': [row % 7], 'seed': [row]} for row in range(3000)]
    drawn = list(space_of(rows).expand(Order(limit=25)))
    assert len(drawn) == 25
    assert all(params == {name: values[0] for name, values in rows[params['seed']].items()} for params in drawn)


# Options that take their values together


@st.composite
def zipped_parts(draw: st.DrawFn) -> tuple[list[Grid], list[list[str]]]:
    """Return parts of a grid, and groups of options whose lists have equal lengths in each of them."""
    names = draw(st.permutations(['a', 'b', 'c', 'd', 'e']))
    groups = draw(st.sampled_from([[names[:2]], [names[:3]], [names[:2], names[2:4]], [names[:3], names[3:]]]))
    parts: list[Grid] = []
    for _ in range(draw(st.integers(1, 3))):
        lengths = {option: place for place, group in enumerate(groups) for option in group}
        sizes = draw(st.lists(st.integers(1, 3), min_size=len(groups), max_size=len(groups)))
        options = draw(st.lists(NAMES, min_size=1, unique=True))
        counts = {
            option: sizes[lengths[option]] if option in lengths else draw(st.integers(1, 2)) for option in options
        }
        parts.append({option: draw(st.lists(VALUES, min_size=n, max_size=n)) for option, n in counts.items()})
    return parts, [list(group) for group in groups]


def rows_one_by_one(part: Grid, groups: list[list[str]]) -> Iterator[Grid]:
    """Return the parts that a part with groups stands for: one for each choice of places within the groups."""
    its_own = [[option for option in group if option in part] for group in groups]
    places = [range(len(part[group[0]])) for group in its_own if group]
    for chosen in itertools.product(*places):
        row = dict(part)
        for group, place in zip(filter(None, its_own), chosen, strict=True):
            row |= {option: [part[option][place]] for option in group}
        yield row


@given(zipped_parts(), CONDITIONS, SEEDS)
def test_that_options_of_a_group_take_their_values_together(
    parts_and_groups: tuple[list[Grid], list[list[str]]], conditions: list[Condition], seed: int
) -> None:
    parts, groups = parts_and_groups
    space = space_of(parts, conditions, zipped=groups)
    one_by_one = [row for part in parts for row in rows_one_by_one(part, groups)]
    found = keys(list(space.expand(Order(seed=seed))))
    assert space.raw_size == sum(len(list(product_of(row))) for row in one_by_one)
    assert set(found) == by_the_rules_of_rows(one_by_one, conditions)
    assert len(found) == len(set(found)), 'each once'


@given(zipped_parts(), CONDITIONS, SEEDS, st.integers(1, 10))
def test_that_a_limit_gives_the_first_commands_of_a_grid_with_groups(
    parts_and_groups: tuple[list[Grid], list[list[str]]], conditions: list[Condition], seed: int, limit: int
) -> None:
    parts, groups = parts_and_groups
    space = space_of(parts, conditions, zipped=groups)
    assert list(space.expand(Order(seed=seed, limit=limit))) == list(space.expand(Order(seed=seed)))[:limit]


def test_that_a_group_stands_in_the_place_of_its_first_option() -> None:
    space = Space({'a': [1, 2], 'b': ['x', 'y'], 'c': [3, 4]}, zipped=[['c', 'a']])
    assert [list(params.items()) for params in space.expand(Order(deterministic=True))] == [
        [('a', 1), ('c', 3), ('b', 'x')],
        [('a', 1), ('c', 3), ('b', 'y')],
        [('a', 2), ('c', 4), ('b', 'x')],
        [('a', 2), ('c', 4), ('b', 'y')],
    ]


def test_that_a_pair_of_values_that_a_group_has_twice_is_run_once() -> None:
    expansion = drained(Space({'a': [1, 1, 1], 'b': [2, 3, 2]}, zipped=[['a', 'b']]))
    assert (expansion.drawn, expansion.duplicates) == (3, 1)


def test_that_a_huge_grid_with_groups_is_sampled_without_being_built() -> None:
    grid: Grid = {f'x{number}': list(range(1000)) for number in range(12)}
    space = Space(grid, zipped=[['x0', 'x7', 'x3'], ['x11', 'x1']])
    drawn = list(space.expand(Order(limit=50)))
    assert space.raw_size == 1000**9
    assert len(drawn) == len(set(keys(drawn))) == 50
    assert all(params['x0'] == params['x7'] == params['x3'] and params['x1'] == params['x11'] for params in drawn)


def test_that_conditions_and_constraints_act_on_what_a_group_gives() -> None:
    grid: Grid = {'lr': [0.1, 0.01, 0.001], 'bs': [8, 16, 32]}
    space = Space(grid, [({'lr': [0.01]}, {'bs': [64]})], [lambda params: params['bs'] > 8], zipped=[['lr', 'bs']])
    found = {(params['lr'], params['bs']) for params in space.expand(Order())}
    assert found == {(0.01, 64), (0.001, 32)}
