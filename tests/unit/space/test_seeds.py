"""Seeds as an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.seeds import Seeds
from hpsearch.space.seeds import seeds_of, without_seeds


def configuration(grid: Mapping[str, Sequence[Any]], **more: Any) -> Configuration:
    """A configuration of this grid."""
    return Configuration('grid.py', '', dict(grid), command=('true',), **more)


@pytest.mark.parametrize(
    ('grid', 'option', 'expected'),
    [
        ({'lr': [1], 'seed': [4, 5, 6]}, '', Seeds('seed', (4, 5))),
        ({'lr': [1], 'seed': [7]}, '', Seeds('seed', (7, 8))),
        ({'data_seed': [1], 'random_seed': [3]}, '', Seeds('random_seed', (3, 4))),
        ({'trainer.seed': ['auto']}, '', Seeds('trainer.seed', (1, 2))),
        ({'seed': [3]}, 'rng', Seeds('rng', (1, 2))),
    ],
)
def test_that_the_seed_is_found_with_its_values(grid: dict[str, list[Any]], option: str, expected: Seeds) -> None:
    assert seeds_of(configuration(grid), option, 2) == expected


def test_that_a_grid_without_a_seed_asks_for_one() -> None:
    with pytest.raises(ConfigError, match='give --seed_arg=OPTION'):
        seeds_of(configuration({'lr': [1], 'seeding': [1]}), '', 2)


def test_that_a_seed_that_depends_on_others_is_refused_with_every_reason() -> None:
    tied = configuration(
        {'lr': [1, 2], 'seed': [1, 2]}, zipped=[('lr', 'seed')], conditions=[({'lr': [1]}, {'seed': [3]})]
    )
    with pytest.raises(ConfigError) as error:
        seeds_of(tied, '', 2)
    assert len(error.value.problems) == 2


def test_that_a_sampler_does_not_choose_the_seed() -> None:
    grid = {'lr': [1, 2], 'seed': [4, 5, 6]}
    chosen = without_seeds(configuration(grid, rows=[grid]), Seeds('seed', (4, 5)))
    assert chosen.grid == chosen.rows[0] == {'lr': [1, 2], 'seed': [4]}


def test_that_the_seed_keeps_its_place_among_the_options() -> None:
    assert list(Seeds('seed', (4, 5)).params({'seed': 4, 'lr': 1}, 5).items()) == [('seed', 5), ('lr', 1)]
