"""The samplers by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Space
from hpsearch.model.trials.trial import Objective
from hpsearch.samplers.base import Sampler


def make_sampler(
    name: str,
    space: Space,
    objectives: Sequence[Objective],
    seed: int,
    options: Mapping[str, str],
    every: int = 1,
    is_allowed: Callable[[Mapping[str, Value]], bool] = lambda values: True,
) -> Sampler:
    """The sampler of this name.

    Args:
        name: A value of ``--search``, but not ``grid``.
        space: What is drawn from.
        objectives: What is optimised; random and quasi-random search need none.
        seed: Of the search.
        options: ``--search_options``.
        every: About so many runs are made of each trial.
        is_allowed: Whether values may be run.

    Raises:
        ConfigError: With everything that is wrong with the options, or with what the sampler needs.
    """
    # Each imports what it needs, so that searches that choose nothing need not wait for it.
    if name in ('random', 'qmc'):
        return _drawing(name, space, seed, options, every)
    if name == 'pbt':
        from hpsearch.samplers.pbt import PbtSampler
        from hpsearch.samplers.pbt_options import population_settings

        return PbtSampler(space, population_settings(options, space), seed, is_allowed)
    from hpsearch.samplers.models.making import NEEDED, learning_sampler

    if name in NEEDED:
        return learning_sampler(name, space, len(objectives), seed, options, every)
    raise ConfigError([f'--search={name}: there is no such sampler.'])


def _drawing(name: str, space: Space, seed: int, options: Mapping[str, str], every: int) -> Sampler:
    from hpsearch.samplers.options import checked_options
    from hpsearch.samplers.qmc import QmcSampler
    from hpsearch.samplers.random_search import RandomSampler

    checked_options(name, options, {})
    return RandomSampler(space, seed) if name == 'random' else QmcSampler(space, seed, every)
