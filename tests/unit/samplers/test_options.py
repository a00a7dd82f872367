"""Options of samplers, from text."""

from __future__ import annotations

import pytest

from hpsearch.model.errors import ConfigError
from hpsearch.samplers.options import SCALARS, checked_options, options_of


class Theirs:
    """A constructor as Optuna has them."""

    def __init__(
        self,
        *,
        n_startup_trials: int = 10,
        multivariate: bool | None = None,
        rate: float | None = None,
        gamma: Callable[[int], int] | None = None,  # type: ignore[name-defined]  # noqa: F821
        seed: int | None = None,
    ) -> None:
        """Keeps nothing."""


KNOWN = options_of(Theirs)


def test_that_values_have_the_types_of_the_constructor() -> None:
    given = {'n_startup_trials': '20', 'multivariate': 'true', 'rate': '1e-3'}
    assert checked_options('tpe', given, KNOWN) == {'n_startup_trials': 20, 'multivariate': True, 'rate': 0.001}
    assert checked_options('tpe', {'multivariate': 'none', 'rate': '2'}, KNOWN) == {'multivariate': None, 'rate': 2.0}


def test_that_all_problems_are_named() -> None:
    given = {'n_startup_trial': '3', 'gamma': 'x', 'seed': '1', 'rate': 'fast', 'zzz': '1', 'seen_trials': '3'}
    with pytest.raises(ConfigError) as error:
        checked_options('tpe', given, KNOWN)
    assert list(error.value.problems) == [
        '--search_options n_startup_trial=3: --search=tpe has no option n_startup_trial; did you mean '
        'n_startup_trials?',
        '--search_options gamma=x: gamma is a function or an object, which cannot be given on a command line.',
        '--search_options seed=1: the seed of a search is --random_seed.',
        '--search_options rate=fast: expected a number or none.',
        '--search_options zzz=1: --search=tpe has no option zzz; it has multivariate, n_startup_trials, rate, '
        'seen_trials.',
        '--search_options seen_trials=3: expected at least 10.',
    ]


def test_that_a_sampler_without_options_says_so() -> None:
    with pytest.raises(ConfigError, match='--search=random has no options'):
        checked_options('random', {'a': '1'}, {})


def test_that_types_are_read_from_annotations() -> None:
    assert KNOWN['gamma'] is None
    assert KNOWN['rate'] == frozenset({'float', 'None'})
    assert (KNOWN['n_startup_trials'] or set()) <= SCALARS
