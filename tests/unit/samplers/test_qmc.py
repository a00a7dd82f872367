"""The quasi-random sequence."""

from __future__ import annotations

import pytest

from hpsearch.model.trials.distributions import Choice, Fidelity, Space, Uniform
from hpsearch.samplers.qmc import QmcSampler, halton

SPACE: Space = {'a': Uniform(0.0, 1.0), 'b': Uniform(0.0, 1.0), 'epochs': Fidelity(1, 9)}


@pytest.mark.parametrize('base', [2, 3, 5, 7, 31])
def test_that_every_run_of_points_falls_into_different_parts(base: int) -> None:
    points = [halton(index, base, 'seed') for index in range(base * base, 2 * base * base)]
    assert {int(point * base * base) for point in points} == set(range(base * base))


def test_that_points_are_below_one() -> None:
    assert all(0 <= halton(index, base, f'{index}') < 1 for index in range(200) for base in (2, 3, 53))


def test_that_two_options_cover_their_plane_evenly() -> None:
    points = [QmcSampler(SPACE, 4).propose([], number).values for number in range(1, 37)]
    assert all(isinstance(each['a'], float) and isinstance(each['b'], float) for each in points)
    cells = {(int(2 * float(str(each['a']))), int(3 * float(str(each['b'])))) for each in points}
    assert len(cells) == 6


def test_that_points_stay_even_where_only_every_other_one_is_a_new_trial() -> None:
    sampler = QmcSampler({'a': Uniform(0.0, 1.0)}, 4, every=2)
    halves = [float(str(sampler.propose([], number).values['a'])) < 0.5 for number in range(1, 61, 2)]
    assert 13 <= sum(halves) <= 17


def test_that_another_seed_makes_other_points() -> None:
    first = QmcSampler(SPACE, 1).propose([], 7)
    assert QmcSampler(SPACE, 1).propose([], 7) == first
    assert QmcSampler(SPACE, 2).propose([], 7) != first


def test_that_the_budget_is_not_drawn() -> None:
    assert set(QmcSampler(SPACE, 1).propose([], 7).values) == {'a', 'b'}


def test_that_choices_are_as_frequent_as_their_weights() -> None:
    sampler = QmcSampler({'a': Choice(('rare', 'usual'), weights=(0.1, 0.9))}, 1)
    drawn = [sampler.propose([], number).values['a'] for number in range(100)]
    assert 8 <= drawn.count('rare') <= 12
