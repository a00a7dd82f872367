"""The options of population based training."""

from __future__ import annotations

import pytest

from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Fidelity, Space, Uniform
from hpsearch.samplers.pbt_options import OPTIONS, population_settings

SPACE: Space = {'lr': Uniform(0.0, 1.0), 'epochs': Fidelity(5, 100)}


def test_that_the_interval_follows_from_the_budget_unless_it_is_given() -> None:
    assert population_settings({}, SPACE).interval == 10
    assert population_settings({}, {'epochs': Fidelity(5, 20)}).interval == 5
    assert population_settings({'interval': '3'}, SPACE).interval == 3


def test_that_every_option_has_an_effect() -> None:
    given = {
        'population': '4',
        'interval': '7',
        'quantile': '0.5',
        'resample_probability': '0',
        'perturbation_factors': '0.5,2',
        'burn_in': '20',
        'explore': 'lr',
    }
    assert set(given) == set(OPTIONS)
    settings = population_settings(given, SPACE)
    assert (settings.size, settings.interval, settings.quantile, settings.burn_in) == (4, 7, 0.5, 20)
    assert (settings.exploration.resample, settings.exploration.factors) == (0.0, (0.5, 2.0))
    assert settings.explore == ('lr',)


@pytest.mark.parametrize(
    ('name', 'text', 'problem'),
    [
        ('populaton', '4', '--search=pbt has no option populaton; did you mean population?'),
        ('x', '4', '--search=pbt has no option x; it has population, interval, quantile'),
        ('population', '1', '--search_options population=1: expected a whole number from 2.'),
        ('population', 'many', '--search_options population=many: expected a whole number from 2.'),
        ('quantile', '0.6', 'expected a number from 0 to 0.5.'),
        ('quantile', 'nan', 'expected a number from 0 to 0.5.'),
        ('perturbation_factors', '0.8,1', 'expected positive numbers other than 1 with commas between them.'),
        ('interval', '101', '--search_options interval=101: no run trains longer than 100.'),
        ('explore', 'lr,momentum', 'explore=lr,momentum: momentum is not among what can be explored: lr.'),
        ('explore', 'epochs', 'epochs is not among what can be explored: lr.'),
    ],
)
def test_that_a_wrong_option_is_refused_with_what_is_expected(name: str, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        population_settings({name: text}, SPACE)
    assert problem in caught.value.problems[0]


def test_that_all_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        population_settings({'population': '1', 'quantile': '2'}, SPACE)
    assert len(caught.value.problems) == 2


def test_that_a_population_needs_a_budget() -> None:
    with pytest.raises(ConfigError, match=r'fidelity\(1, 100\)'):
        population_settings({}, {'lr': Uniform(0.0, 1.0)})
