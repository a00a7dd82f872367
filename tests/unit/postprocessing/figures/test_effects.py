"""The effects of parameters and how pairs of them act together, against numbers computed by hand and by pandas."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.model.trials.trial import Objective
from postprocessing.figures.compared import compared
from postprocessing.figures.effects import effects
from postprocessing.figures.interactions import interaction, interactions
from tests.support.search_records import results_of

ACC = Objective('acc', maximize=True)


def effects_of(points: list[tuple[dict[str, Any], float]], maximize: bool = True) -> dict[str, Any]:
    objective = Objective('acc', maximize)
    found = effects(compared(results_of(points, objectives=[objective]), objective))
    return {each['name']: each for each in found['parameters']}


def test_that_a_level_has_mean_standard_deviation_quartiles_and_number() -> None:
    points = [({'a': 1, 'b': each}, value) for each, value in enumerate((1.0, 2.0, 3.0, 6.0))]
    level = effects_of([*points, ({'a': 2, 'b': 0}, 5.0)])['a']['levels'][0]
    assert level == {
        'label': '1',
        'centre': 1.0,
        'n': 4,
        'mean': 3.0,
        'std': pytest.approx((14 / 3) ** 0.5),
        'quartiles': [1.75, 2.5, 3.75],
        'best': 6.0,
    }


def test_that_one_point_has_no_standard_deviation_and_the_smallest_may_be_the_best() -> None:
    found = effects_of([({'a': 'x'}, 1.0), ({'a': 'y'}, 3.0), ({'a': 'y', 'b': 1}, 2.0)], maximize=False)
    assert found['a']['levels'][0]['std'] is None
    assert found['a']['levels'][1]['best'] == 2.0
    assert found['a']['levels'][0]['centre'] is None


def test_that_a_parameter_that_some_runs_lack_counts_where_it_is_there() -> None:
    found = effects_of(
        [({'opt': 'sgd', 'momentum': 0.9}, 1.0), ({'opt': 'sgd', 'momentum': 0.0}, 2.0), ({'opt': 'adam'}, 3)]
    )
    assert found['momentum']['missing'] == 1
    assert sum(level['n'] for level in found['momentum']['levels']) == 2


def test_that_the_levels_agree_with_pandas() -> None:
    chance = random.Random(1)
    points = [
        ({'lr': 10 ** chance.uniform(-5, 0), 'opt': chance.choice('abc'), 'n': chance.randint(1, 4)}, chance.random())
        for _ in range(300)
    ]
    frame = pd.DataFrame([{**params, 'acc': value} for params, value in points])
    for name, each in effects_of(points).items():
        labels: Any = frame[name].map(str)
        if name == 'lr':
            low, high = np.log(frame['lr'].min()), np.log(frame['lr'].max())
            labels = np.digitize(np.log(frame['lr']), np.linspace(low, high, 11)[1:-1])
        groups = frame.groupby(labels)['acc']
        assert [level['n'] for level in each['levels']] == groups.size().tolist()
        assert [level['mean'] for level in each['levels']] == pytest.approx(groups.mean().tolist(), rel=1e-6)
        assert [level['std'] for level in each['levels']] == pytest.approx(groups.std().tolist(), rel=1e-6)
        assert [level['quartiles'][0] for level in each['levels']] == pytest.approx(
            groups.quantile(0.25).tolist(), rel=1e-6
        )


@pytest.mark.parametrize('points', [[], [({'a': 1}, 1.0)], [({'a': 1, 'seed': 1}, 1.0), ({'a': 1, 'seed': 2}, 2.0)]])
def test_that_there_is_no_effect_where_no_parameter_differs(points: list[tuple[dict[str, Any], float]]) -> None:
    assert 'seeds' in effects(compared(results_of(points), ACC))['nothing']


def share(points: list[tuple[dict[str, Any], float]]) -> float | None:
    one, other = (np.array([params[name] for params, _ in points]) for name in 'ab')
    found = interaction(one, other, np.array([value for _, value in points]))
    return found[0] if found else None


def grid(value: Any, repeats: int = 2, noise: float = 0.0) -> list[tuple[dict[str, Any], float]]:
    """Points of two parameters with two levels, and a third one that has no effect."""
    chance = random.Random(3)
    return [
        ({'a': a, 'b': b, 'c': c}, value(a, b) + chance.gauss(0, noise))
        for a, b, c in product((0, 1), (0, 1), range(repeats))
    ]


def test_that_a_sum_has_no_interaction_and_an_exclusive_or_has_nothing_else() -> None:
    assert share(grid(lambda a, b: a + 2 * b)) == pytest.approx(0.0, abs=1e-9)
    assert share(grid(lambda a, b: a ^ b)) == pytest.approx(1.0)
    # Cells 0, 0, 0, 1: of the sum of squares 3/4 n/4 the interaction has 1/4 n/4.
    assert share(grid(lambda a, b: a * b)) == pytest.approx(1 / 3, abs=1e-4)


def test_that_the_interaction_is_omega_squared_of_the_analysis_of_variance() -> None:
    values = {(0, 0): (1.0, 3.0), (0, 1): (4.0, 6.0), (1, 0): (5.0, 7.0), (1, 1): (2.0, 4.0)}
    points = [({'a': a, 'b': b, 'c': c}, each) for (a, b), pair in values.items() for c, each in enumerate(pair)]
    # Cell means 2, 5, 6, 3: interaction (2 - 5 - 6 + 3)^2 / 4 * 2 = 18; error 8 * 1 = 8 with 4 degrees: 2; total 28.
    assert share(points) == pytest.approx((18 - 2) / (28 + 2), abs=1e-4)


def test_that_noise_has_hardly_any_interaction() -> None:
    found = share(grid(lambda a, b: 0.0, repeats=100, noise=1.0))
    assert found is not None
    assert found < 0.02


def test_that_only_what_chance_hardly_explains_is_certain() -> None:
    def certain(points: list[tuple[dict[str, Any], float]]) -> list[tuple[list[str], bool]]:
        found = interactions(compared(results_of(points), ACC), ['a', 'b', 'c'])
        return [(each['names'], each['certain']) for each in found]

    assert certain(grid(lambda a, b: a ^ b, repeats=10, noise=0.1))[0] == (['a', 'b'], True)
    assert not any(is_certain for _, is_certain in certain(grid(lambda a, b: a + b, repeats=10, noise=0.3)))
    assert certain(grid(lambda a, b: a ^ b, repeats=4)) == []


def test_that_beyond_chance_agrees_with_the_f_distribution() -> None:
    stats = pytest.importorskip('scipy.stats')
    points = grid(lambda a, b: 0.4 * (a ^ b), repeats=15, noise=0.5)
    one, other = (np.array([params[name] for params, _ in points]) for name in 'ab')
    values = np.array([value for _, value in points])
    found = interaction(one, other, values)
    means = [[values[(one == a) & (other == b)].mean() for b in (0, 1)] for a in (0, 1)]
    within = sum(((values[(one == a) & (other == b)] - means[a][b]) ** 2).sum() for a in (0, 1) for b in (0, 1))
    f = (means[0][0] - means[0][1] - means[1][0] + means[1][1]) ** 2 / 4 * 15 / (within / 56)
    assert found and found[1] == pytest.approx(stats.norm.isf(stats.f.sf(f, 1, 56)), abs=0.1)


def test_that_an_interaction_without_repetitions_is_not_told() -> None:
    assert share(grid(lambda a, b: a ^ b, repeats=1)) is None
    assert share([({'a': 0, 'b': 0}, 1.0), ({'a': 1, 'b': 1}, 2.0), ({'a': 1, 'b': 1, 'c': 1}, 3.0)]) is None
