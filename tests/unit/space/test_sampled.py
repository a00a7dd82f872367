"""The space of a sampler: what runs get of its values is what the grid would have, and it says when it is exhausted."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.style import words_of
from hpsearch.config.distributions.functions import choice, fidelity, loguniform, normal, randint, uniform
from hpsearch.model.configuration import Condition, Configuration, Constraint, Grid, Not, Params
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Choice, Distribution, Drawn, Fidelity
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.grid import Space
from hpsearch.space.order import Order
from hpsearch.space.sampled import ROW, SampledSpace
from tests.unit.space.test_grid import CONDITIONS, GRIDS


def sampled(
    grid: Any,
    conditions: Sequence[Condition] = (),
    constraints: Sequence[Constraint] = (),
    rows: Sequence[Grid] = (),
    zipped: Sequence[Sequence[str]] = (),
) -> SampledSpace:
    """Return the space of a configuration; a distribution stands for the list that it is written in the place of."""
    return SampledSpace(
        Configuration(
            'c.py',
            '',
            with_lists(grid),
            [(when, with_lists(then)) for when, then in conditions],
            constraints,
            rows=[with_lists(row) for row in rows],
            zipped=zipped,
        )
    )


def with_lists(part: Any) -> Grid:
    """Return a grid as a configuration has it."""
    return {name: Drawn(values) if isinstance(values, Distribution) else values for name, values in part.items()}


def key_of(params: Params) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Return what makes parameters the same."""
    words = ((option, words_of(option, value)) for option, value in params.items())
    return frozenset(pair for pair in words if pair[1])


def is_odd(params: Params) -> bool:
    """Allow about half of all commands."""
    return len(str(sorted(key_of(params)))) % 2 == 1


ROWS = st.lists(GRIDS, min_size=1, max_size=3)


@given(ROWS, CONDITIONS, st.sampled_from([(), (is_odd,)]))
def test_that_the_runs_of_lists_are_those_of_the_grid(
    rows: list[Grid], conditions: list[Condition], constraints: tuple[Constraint, ...]
) -> None:
    grid: Grid = {}
    for row in rows:
        for option, values in row.items():
            grid[option] = [*grid.get(option, ()), *values]
    expected = {key_of(params) for params in Space(grid, conditions, constraints, rows=rows).expand(Order())}
    space = sampled(grid, conditions, constraints, rows)
    assert space.is_finite
    found = {key: space.params(values) for key, values in space.all_runs.items()}
    assert set(found) == expected
    assert {key_of(params) for params in found.values() if params is not None} == expected


@given(GRIDS, CONDITIONS, st.integers(0, 10**6))
def test_that_what_is_drawn_is_a_run_of_the_grid(grid: Grid, conditions: list[Condition], number: int) -> None:
    space = sampled(grid, conditions)
    proposal = RandomSampler(space.space, 7).propose([], number)
    assert proposal is not None
    params = space.params(proposal.values)
    expected = {key_of(each): each for each in Space(grid, conditions).expand(Order())}
    assert params is not None
    assert key_of(params) in expected
    assert list(params) == [option for option in Space(grid, conditions).columns if option in params]


LENGTHS = st.integers(1, 3)


@given(st.lists(LENGTHS, min_size=1, max_size=3), LENGTHS)
def test_that_zipped_options_are_one_dimension(lengths: list[int], alone: int) -> None:
    grid: Grid = {'z': list(range(alone))}
    zipped = []
    for place, length in enumerate(lengths):
        names = [f'a{place}', f'b{place}']
        zipped.append(names)
        grid |= {names[0]: list(range(length)), names[1]: [f'v{index}' for index in range(length)]}
    space = sampled(grid, zipped=zipped)
    expected = {key_of(params) for params in Space(grid, zipped=zipped).expand(Order())}
    assert set(space.all_runs) == expected
    assert set(space.space) == {
        *(f'a{place} + b{place}' for place, length in enumerate(lengths) if length > 1),
        *(['z'] if alone > 1 else []),
    }


def test_that_single_values_are_no_dimensions() -> None:
    space = sampled({'a': [1], 'b': choice([2]), 'c': uniform(0, 1)})
    assert list(space.space) == ['c']
    assert space.params({'c': 0.5}) == {'a': 1, 'b': 2, 'c': 0.5}


def test_that_options_keep_the_order_of_the_file() -> None:
    space = sampled({'z': uniform(0, 1), 'a': [1, 2], 'm': [3]}, [({'a': [1]}, {'b': [4], 'z': [0.0]})])
    assert list(space.params({'z': 0.5, 'a': 1}) or {}) == ['z', 'a', 'm', 'b']
    assert space.params({'z': 0.5, 'a': 1}) == {'z': 0.0, 'a': 1, 'm': 3, 'b': 4}
    assert space.params({'z': 0.5, 'a': 2}) == {'z': 0.5, 'a': 2, 'm': 3}


def test_that_rows_have_dimensions_of_their_own() -> None:
    rows = [{'lr': uniform(0, 1), 'net': ['a']}, {'lr': uniform(0, 9), 'depth': [1, 2]}, {'lr': uniform(0, 1)}]
    space = sampled({'lr': uniform(0, 1), 'net': ['a'], 'depth': [1, 2]}, rows=rows)  # type: ignore[arg-type]
    assert list(space.space) == [ROW, 'lr', 'lr of grid[1]', 'depth']
    values = {'lr': 0.5, 'lr of grid[1]': 8.0, 'depth': 2}
    assert space.params({ROW: 0, **values}) == {'lr': 0.5, 'net': 'a'}
    assert space.params({ROW: 1, **values}) == {'lr': 8.0, 'depth': 2}
    assert space.params({ROW: 2, **values}) == {'lr': 0.5}


def test_that_conditions_may_draw() -> None:
    conditions: list[Condition] = [
        ({'opt': ['sgd']}, {'momentum': uniform(0, 1), 'lr': loguniform(0.1, 1)}),  # type: ignore[dict-item]
        ({'lr': Not([1.0]), 'opt': ['adam']}, {'beta': [0.9, 0.99]}),
    ]
    space = sampled({'opt': ['sgd', 'adam', 'none'], 'lr': loguniform(1e-4, 1e-2)}, conditions)
    assert list(space.space) == ['opt', 'lr', 'momentum', 'lr of conditions[0]', 'beta']
    values = {'lr': 0.001, 'lr of conditions[0]': 0.5, 'momentum': 0.7, 'beta': 0.99}
    assert space.params({'opt': 'sgd', **values}) == {'opt': 'sgd', 'lr': 0.5, 'momentum': 0.7}
    assert space.params({'opt': 'adam', **values}) == {'opt': 'adam', 'lr': 0.001, 'beta': 0.99}
    assert space.params({'opt': 'none', **values}) == {'opt': 'none', 'lr': 0.001}


def test_that_a_condition_with_an_empty_list_leaves_runs_out() -> None:
    space = sampled({'a': [1, 2], 'lr': uniform(0, 1)}, [({'a': [1]}, {'lr': []})])
    assert space.params({'a': 1, 'lr': 0.5}) is None
    assert space.key({'a': 1, 'lr': 0.5}) is None
    assert space.params({'a': 2, 'lr': 0.5}) == {'a': 2, 'lr': 0.5}


def test_that_values_that_make_the_same_run_have_one_key() -> None:
    space = sampled({'opt': ['sgd', 'adam'], 'momentum': uniform(0, 1)}, [({'opt': ['adam']}, {'momentum': [0.0]})])
    assert space.key({'opt': 'adam', 'momentum': 0.1}) == space.key({'opt': 'adam', 'momentum': 0.2})
    assert space.key({'opt': 'sgd', 'momentum': 0.1}) != space.key({'opt': 'sgd', 'momentum': 0.2})


def test_that_the_budget_is_whole_unless_it_is_proposed_and_makes_no_other_run() -> None:
    space = sampled({'lr': uniform(0, 1), 'epochs': fidelity(1, 9)})
    assert space.fidelity == 'epochs'
    assert space.space['epochs'] == Fidelity(1, 9)
    assert space.params({'lr': 0.5}) == {'lr': 0.5, 'epochs': 9}
    assert space.params({'lr': 0.5, 'epochs': 3}) == {'lr': 0.5, 'epochs': 3}
    assert space.key({'lr': 0.5}) == space.key({'lr': 0.5, 'epochs': 1})


def test_that_a_constraint_that_raises_is_named() -> None:
    space = sampled({'lr': uniform(0, 1)}, constraints=[lambda params: params['no'] > 1])
    with pytest.raises(ConfigError, match=r"constraints\[0\] \(<lambda>\) raised KeyError\('no'\)"):
        space.params({'lr': 0.5})


def test_that_a_constraint_cannot_change_a_run() -> None:
    space = sampled({'lr': uniform(0, 1)}, constraints=[lambda params: params.pop('lr') < 1])
    assert space.params({'lr': 0.5}) == {'lr': 0.5}


@pytest.mark.parametrize(
    ('distribution', 'count'),
    [
        (randint(1, 9), 9),
        (randint(1, 10, step=3), 4),
        (randint(1, 64, log=True), 64),
        (uniform(0, 1, step=0.25), 5),
        (choice(['a', 'b']), 2),
        (uniform(0, 1), None),
        (normal(0, 1, step=1), None),
        (randint(1, 10**9), None),
    ],
)
def test_that_a_space_knows_whether_it_has_an_end(distribution: Distribution, count: int | None) -> None:
    space = sampled({'a': distribution, 'epochs': fidelity(1, 9)})
    assert space.is_finite == (count is not None)
    assert len(space.all_runs) == (count or 0)


def test_that_a_finite_space_is_exhausted_when_each_run_was_tried() -> None:
    space = sampled({'a': [1, 2, 3], 'b': [1, 2]}, constraints=[lambda params: params['a'] != params['b']])
    tried = set[Any]()
    while (values := space.untried(tried, Random(3))) is not None:
        assert not space.is_exhausted(tried)
        params = space.params(values)
        assert params is not None
        assert params['a'] != params['b']
        tried.add(space.key(values))
    assert len(tried) == 4
    assert space.is_exhausted(tried)


def test_that_dimensions_that_no_run_asks_for_do_not_make_a_space_larger() -> None:
    conditions: list[Condition] = [
        ({'a': [0]}, {f'x{index}': [0, 1] for index in range(12)}),
        ({'a': Not([9])}, {'a': [7]}),
    ]
    space = sampled({'a': [1, 2]}, conditions)
    assert len(space.all_runs) == 1


def test_that_lists_are_choices_and_numbers_in_order_are_ordered() -> None:
    space = sampled({'a': [1, 2, 4], 'b': ['x', 'y']})
    assert space.space == {'a': Choice((1, 2, 4), ordered=True), 'b': Choice(('x', 'y'))}
