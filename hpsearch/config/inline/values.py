"""From the text of what is searched to what the grid of a configuration has for it."""

from __future__ import annotations

from typing import Any

from hpsearch.config.distributions.notation import ORION, read_distribution
from hpsearch.config.yaml_file import parse_yaml
from hpsearch.model.trials.distributions import Choice, choice_of


def values_of(prior: str, *, orions: bool = False) -> Any:
    """The values of a list, or the text of a distribution, in whose place a grid can have it as well.

    A choice that says no more than a list does is one, so that it can be a part of a grid search.

    Args:
        prior: As :func:`hpsearch.arguments.priors.searched_words` finds it.
        orions: Whether it is in Oríon's notation also without its mark.

    Raises:
        ValueError: It is no list; why, as the end of a sentence.
    """
    text = prior.removeprefix(ORION)
    if not text.startswith('['):
        return _listed(ORION + text if orions else prior)
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise ValueError(f'is no list: {error}.') from error


def _listed(prior: str) -> Any:
    try:
        choice = read_distribution(prior).distribution
    except ValueError:
        return prior  # whoever checks the grid says what is wrong
    is_list = isinstance(choice, Choice) and choice == choice_of(choice.values)
    return list(choice.values) if isinstance(choice, Choice) and is_list else prior
