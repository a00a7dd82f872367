"""The importance of parameters of functions for which it is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hpsearch.model.trials.trial import Objective
from postprocessing.figures.compared import compared
from postprocessing.figures.forest import grow
from postprocessing.figures.importance import importance
from tests.support.search_records import results_of

ACC = Objective('acc', maximize=True)

Point = tuple[dict[str, Any], float]


def sampled(value: Callable[[Any], float], runs: int = 200, others: int = 0, noise: float = 0.0) -> list[Point]:
    """Points of ``a`` and ``b`` between 0 and 1, a category ``c``, and more parameters without an effect."""
    chance = random.Random(5)
    found = []
    for _ in range(runs):
        params: dict[str, Any] = {'a': chance.random(), 'b': chance.random(), 'c': chance.choice('xyz')}
        params |= {f'other{each}': chance.random() for each in range(others)}
        found.append((params, value(params) + chance.gauss(0, noise)))
    return found


def importance_of(points: list[Point]) -> dict[str, tuple[float, float]]:
    found = importance(compared(results_of(points), ACC))
    assert 'nothing' not in found, found
    return {each['name']: (each['mean'], each['std']) for each in found['parameters']}


def test_that_all_of_it_is_with_the_only_parameter_that_matters() -> None:
    found = importance_of(sampled(lambda params: params['a']))
    assert found['a'][0] > 0.85
    assert max(found['b'][0], found['c'][0]) < 0.02
    assert next(iter(found)) == 'a'


def test_that_it_is_shared_by_two_that_matter_equally() -> None:
    found = importance_of(sampled(lambda params: params['a'] + params['b'], runs=500))
    assert found['a'][0] == pytest.approx(0.5, abs=0.12)
    assert found['a'][0] == pytest.approx(found['b'][0], abs=0.1)


def test_that_both_have_it_where_they_matter_together() -> None:
    found = importance_of(sampled(lambda params: (params['a'] > 0.5) ^ (params['b'] > 0.5), runs=400))
    assert found['a'][0] > 0.6
    assert found['b'][0] > 0.6


def test_that_it_does_not_depend_on_whether_the_scale_is_logarithmic_or_some_runs_have_diverged() -> None:
    points = sampled(lambda params: params['a'])
    bent: list[Point] = [
        ({**params, 'a': 10 ** (10 * params['a'])}, 1e9 if value > 0.99 else value) for params, value in points
    ]
    assert importance_of(bent)['a'][0] == pytest.approx(importance_of(points)['a'][0], abs=0.05)


def test_that_categories_count_whatever_their_order() -> None:
    found = importance_of(sampled(lambda params: {'x': 0.0, 'y': 1.0, 'z': 0.0}[params['c']], noise=0.1))
    assert found['c'][0] > 0.5
    assert max(found['a'][0], found['b'][0]) < 0.05


def test_that_a_parameter_that_some_runs_lack_matters_among_those_that_have_it() -> None:
    points: list[Point] = []
    for params, _ in sampled(lambda params: 0.0, runs=300):
        a = params.pop('a')
        if params['c'] == 'x':
            points.append(({**params, 'a': a}, 1 + a))
        else:
            points.append((params, 0.5))
    found = importance_of(points)
    assert found['a'][0] > 0.05
    assert found['b'][0] < 0.05


def test_that_noise_is_called_so() -> None:
    found = importance(compared(results_of(sampled(lambda params: 0.0, noise=1.0)), ACC))
    assert 'would be noise' in found['nothing']


def test_that_too_few_runs_are_called_so() -> None:
    few = importance(compared(results_of(sampled(lambda params: params['a'], runs=19)), ACC))
    assert few['nothing'].startswith('Too few runs to tell: 19 points with a result, and 3 parameters; 20 ')
    many_options = importance(compared(results_of(sampled(lambda params: params['a'], runs=60, others=57)), ACC))
    assert '60 parameters; 180 points' in many_options['nothing']


def test_that_equal_results_are_called_so() -> None:
    found = importance(compared(results_of(sampled(lambda params: 0.5, runs=50)), ACC))
    assert found == {'nothing': 'All runs have the same acc.'}


def test_that_the_same_results_have_the_same_importance() -> None:
    points = sampled(lambda params: params['a'], runs=50)
    assert importance_of(points) == importance_of(points)


def test_that_the_order_is_that_of_the_functional_analysis_of_variance() -> None:
    optuna = pytest.importorskip('optuna')
    pytest.importorskip('sklearn')
    points = sampled(lambda params: 4 * params['a'] + 2 * params['b'] + (params['c'] == 'x'), runs=300)
    study = optuna.create_study()
    space = {
        'a': optuna.distributions.FloatDistribution(0, 1),
        'b': optuna.distributions.FloatDistribution(0, 1),
        'c': optuna.distributions.CategoricalDistribution(('x', 'y', 'z')),
    }
    for params, value in points:
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=8, max_depth=6, seed=1)
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
    ours = importance_of(points)
    assert list(ours) == list(theirs) == ['a', 'b', 'c']
    total = sum(mean for mean, _ in ours.values())
    assert [ours[name][0] / total for name in ours] == pytest.approx([theirs[name] for name in theirs], abs=0.1)


def test_that_a_forest_finds_a_step() -> None:
    codes = np.arange(40)[:, None] % 10
    y = (codes[:, 0] > 6).astype(float)
    forest = grow(codes, y, np.array([False]), 10, 5, np.random.default_rng(1))
    assert forest.predict(np.array([[0], [6], [7], [9]])) == pytest.approx([0, 0, 1, 1], abs=0.3)
