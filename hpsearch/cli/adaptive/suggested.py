"""Options of a search that the configuration of another program says: they hold where the command line gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpsearch.cli.adaptive.defaults import without_idle
from hpsearch.cli.adaptive.options import GRID
from hpsearch.cli.options import SearchOptions, flat, search_options
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError

_OF_SAMPLER = ('search', 'search_options')
_GRIDS = (GRID, 'random')
"""What is a grid search, in a random order, where all values are listed."""


def with_suggested(options: SearchOptions, configuration: Configuration) -> SearchOptions:
    """The options with what a configuration suggests in the place of defaults.

    Raises:
        ConfigError: It names a sampler that does not exist here, and the command line gives none.
    """
    values, defaults = flat(options), flat(SearchOptions())
    given = options.configuration.given
    is_chosen = values['search'] != defaults['search'] or 'search' in given
    suggested = _of_kind(configuration, values['search'] if is_chosen else '')
    free = [name for name in suggested if name not in given and name in values and values[name] == defaults[name]]
    used = without_idle({name: suggested[name] for name in free}, options)
    return search_options({**values, **used}) if used else options


def _of_kind(configuration: Configuration, chosen: str) -> Mapping[str, Any]:
    """What is suggested, as options of the kind of search that it is; ``chosen``: the sampler, if it is chosen already.

    Raises:
        ConfigError: See :func:`with_suggested`.
    """
    suggested = dict(configuration.suggested)
    problem = suggested.pop('problem', '')
    if chosen and chosen != GRID:
        return {name: value for name, value in suggested.items() if name not in _OF_SAMPLER}
    if problem and not chosen:
        raise ConfigError([problem])
    if chosen or (suggested.get('search') in _GRIDS and not configuration.distributions):
        others = {name: value for name, value in suggested.items() if name != 'search'}
        return others | ({'num_searches': suggested['max_trials']} if 'max_trials' in suggested else {})
    return suggested
