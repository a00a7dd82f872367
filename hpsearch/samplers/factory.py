"""The samplers by their names on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Space
from hpsearch.model.trials.trial import Objective
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.random_search import RandomSampler


def make_sampler(
    name: str, space: Space, objectives: Sequence[Objective], seed: int, options: Mapping[str, str]
) -> Sampler:
    """The sampler of this name.

    Args:
        name: A value of ``--search``, but not ``grid``.
        space: What is drawn from.
        objectives: What is optimised; random search needs none.
        seed: Of the search.
        options: ``--search_options``.

    Raises:
        ConfigError: With everything that is wrong with the options, or with what the sampler needs.
    """
    if name == 'random':
        if options:
            raise ConfigError([f'--search_options={each}: random search has no options.' for each in options])
        return RandomSampler(space, seed)
    raise ConfigError([f'--search={name}: there is no such sampler yet.'])
