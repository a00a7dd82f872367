"""From the name of a sampler that learns to the sampler, or to what it lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Space
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.models.cma_es import CmaEsSampler
from hpsearch.samplers.models.optuna_sampler import KINDS, OptunaSampler, constructor, why_refused
from hpsearch.samplers.models.positions import is_ordered
from hpsearch.samplers.options import checked_options, options_of
from hpsearch.samplers.random_search import drawn

NEEDED: Mapping[str, tuple[tuple[str, ...], str]] = {
    'tpe': (('optuna',), 'search'),
    'gp': (('optuna', 'scipy', 'torch'), 'search-gp'),
    'nsga2': (('optuna',), 'search'),
    'cmaes': (('cmaes',), 'search'),
}
"""Sampler to the libraries it needs, and the extra that installs them."""


OLDEST_OF_GP = (4, 8)
"""The first Optuna whose Gaussian process knows what is running; older ones propose beside it."""


def learning_sampler(
    search: str, space: Space, objectives: int, seed: int, options: Mapping[str, str], every: int = 1
) -> Sampler:
    """The sampler of this name: a key of :data:`NEEDED`.

    Args:
        search: Its name.
        space: What it proposes values of.
        objectives: How many there are.
        seed: Of the search.
        options: As they were given, name to text.
        every: Each trial is evaluated about so many times.

    Raises:
        ConfigError: A library is missing, or the sampler is none for this space or for these options; has all problems.
    """
    if missing := list(_missing(search)):
        raise ConfigError(missing)
    problems = list(_misfits(search, space, objectives))
    checked: dict[str, Any] = {}
    try:
        checked = _checked(search, options)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    if search == 'cmaes':
        return CmaEsSampler(space, seed, checked)
    return OptunaSampler(search, space, objectives, seed, checked, every)


def _checked(search: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The values of options; Optuna is imported only if there are some for it."""
    is_theirs = bool(options) and search in KINDS
    checked = checked_options(search, options, options_of(constructor(search)) if is_theirs else {})
    if is_theirs and (refusal := why_refused(search, checked)):
        raise ConfigError([f'--search_options: {refusal}'])
    return checked


def _missing(search: str) -> Iterator[str]:
    libraries, extra = NEEDED[search]
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        yield f"--search={search} needs {' and '.join(missing)}: pip install 'hpsearch[{extra}]'"
    elif search == 'gp' and _version_of('optuna') < OLDEST_OF_GP:
        oldest = '.'.join(map(str, OLDEST_OF_GP))
        yield f"--search=gp needs optuna {oldest} or newer: pip install --upgrade 'hpsearch[{extra}]'"


def _version_of(library: str) -> tuple[int, ...]:
    """The first two numbers of its version."""
    return tuple(map(int, re.findall(r'\d+', importlib.metadata.version(library))[:2]))


def _misfits(search: str, space: Space, objectives: int) -> Iterator[str]:
    """What the sampler cannot do with such a search."""
    if not objectives:
        yield (
            f'--search={search}: nothing says what is optimised; set _PERFORMANCE_KEY, or give --objective=KEY, or '
            "where it is: --objective 'stdout:accuracy=([0-9.]+)'."
        )
    if objectives > 1 and search in ('gp', 'cmaes'):
        yield f'--search={search} has one objective only; for several take --search=nsga2 or --search=tpe.'
    if search == 'cmaes' and not any(map(is_ordered, drawn(space).values())):
        yield (
            '--search=cmaes needs an option with numbers, such as uniform(0, 1); for choices alone take --search=tpe.'
        )
