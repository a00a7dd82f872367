"""Options of a search that the configuration of another program says: they hold where the command line gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpsearch.cli.options import SearchOptions, flat, search_options
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError

_OF_SAMPLER = ('search', 'search_options', 'prune')
_GRIDS = ('grid', 'random')
"""What is a grid search, in a random order, where all values are listed."""


def with_suggested(options: SearchOptions, configuration: Configuration) -> SearchOptions:
    """The options with what a configuration suggests in the place of defaults.

    Raises:
        ConfigError: It names a sampler that does not exist here, and the command line gives none.
    """
    values, defaults = flat(options), flat(SearchOptions())
    suggested = _of_kind(configuration, is_chosen=values.get('search') != defaults.get('search'))
    used = {name: value for name, value in suggested.items() if name in values and values[name] == defaults[name]}
    return search_options({**values, **used}) if used else options


def _of_kind(configuration: Configuration, *, is_chosen: bool) -> Mapping[str, Any]:
    """What is suggested, as options of the kind of search that it is.

    Raises:
        ConfigError: See :func:`with_suggested`.
    """
    suggested = dict(configuration.suggested)
    problem = suggested.pop('problem', '')
    if is_chosen:
        return {name: value for name, value in suggested.items() if name not in _OF_SAMPLER}
    if problem:
        raise ConfigError([problem])
    if suggested.get('search') in _GRIDS and not configuration.distributions:
        seed = {name: value for name, value in suggested.items() if name == 'random_seed'}
        return seed | ({'num_searches': suggested['max_trials']} if 'max_trials' in suggested else {})
    return suggested
