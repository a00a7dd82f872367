"""The options of population based training (``--search_options``), from texts."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Fidelity, Space
from hpsearch.model.trials.perturbation import Exploration
from hpsearch.samplers.pbt import PopulationSettings

DEFAULT_SIZE = 10

INTERVALS = 10
"""So many intervals a member has by default."""


@dataclass(frozen=True, slots=True)
class _Option:
    """An option: how its text is read (with a ValueError if it cannot be), and what is expected, in words."""

    read: Callable[[str], Any]
    expected: str


def _whole(smallest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if int(text) < smallest:
            raise ValueError(text)
        return int(text)

    return read


def _fraction(largest: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not 0 <= float(text) <= largest:
            raise ValueError(text)
        return float(text)

    return read


def _factors(text: str) -> tuple[float, ...]:
    factors = tuple(float(each) for each in text.split(','))
    if not all(0 < each < math.inf and each != 1 for each in factors):
        raise ValueError(text)
    return factors


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(',') if each.strip())


OPTIONS: Mapping[str, _Option] = {
    'population': _Option(_whole(2), 'a whole number from 2'),
    'interval': _Option(_whole(1), 'a whole number from 1'),
    'quantile': _Option(_fraction(0.5), 'a number from 0 to 0.5'),
    'resample_probability': _Option(_fraction(1), 'a number from 0 to 1'),
    'perturbation_factors': _Option(_factors, 'positive numbers other than 1 with commas between them'),
    'burn_in': _Option(_whole(0), 'a whole number from 0'),
    'explore': _Option(_names, 'names of options with commas between them'),
}


def population_settings(options: Mapping[str, str], space: Space) -> PopulationSettings:
    """How a population is trained.

    Args:
        options: As they were given, name to text.
        space: Has a budget.

    Raises:
        ConfigError: With everything that is wrong with them.
    """
    budget = next((each for each in space.values() if isinstance(each, Fidelity)), None)
    if budget is None:
        raise ConfigError([NO_BUDGET])
    problems = [problem for name, text in options.items() if (problem := _problem(name, text, budget, space))]
    if problems:
        raise ConfigError(problems)
    given = {name: OPTIONS[name].read(text) for name, text in options.items()}
    exploration = Exploration(
        resample=given.get('resample_probability', 0.25), factors=given.get('perturbation_factors', (0.8, 1.2))
    )
    return PopulationSettings(
        size=given.get('population', DEFAULT_SIZE),
        interval=given.get('interval', max(budget.low, math.ceil(budget.high / INTERVALS))),
        quantile=given.get('quantile', 0.25),
        burn_in=given.get('burn_in', 0),
        exploration=exploration,
        explore=given.get('explore', ()),
    )


NO_BUDGET = (
    'grid: population based training trains its members piece by piece, and needs an option that says up to where; '
    'for example epochs: fidelity(1, 100).'
)

NO_CHECKPOINT = (
    '_CHECKPOINT_ARG: population based training goes on from checkpoints; give the option that takes one, such as '
    "_CHECKPOINT_ARG = 'resume_from' (or --checkpoint_arg=resume_from), and with _CHECKPOINT what it gets of the "
    'output folder of an earlier run.'
)


def _problem(name: str, text: str, budget: Fidelity, space: Space) -> str:
    option = f'--search_options {name}={text}'
    if name not in OPTIONS:
        near = difflib.get_close_matches(name, OPTIONS, n=1)
        hint = f'did you mean {near[0]}?' if near else f'it has {", ".join(OPTIONS)}.'
        return f'{option}: --search=pbt has no option {name}; {hint}'
    try:
        value = OPTIONS[name].read(text)
    except ValueError:
        return f'{option}: expected {OPTIONS[name].expected}.'
    return _misfit(option, name, value, budget, space)


def _misfit(option: str, name: str, value: Any, budget: Fidelity, space: Space) -> str:
    if name == 'interval' and value > budget.high:
        return f'{option}: no run trains longer than {budget.high}.'
    known = [each for each, distribution in space.items() if not isinstance(distribution, Fidelity)]
    unknown = [each for each in value if each not in known] if name == 'explore' else []
    return f'{option}: {unknown[0]} is not among what can be explored: {", ".join(known)}.' if unknown else ''
