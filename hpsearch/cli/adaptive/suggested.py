"""Options of a search that the configuration of another program says: they hold where the command line gives none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from hpsearch.backends.queue.own_job import own_job
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
    suggested = dict(_of_kind(configuration, values['search'] if is_chosen else '', is_hunt='hunt' in values))
    if 'n_workers' in suggested:
        suggested |= of_workers(suggested['n_workers'], values)
    free = [name for name in suggested if name not in given and name in values and values[name] == defaults[name]]
    used = without_idle({name: suggested[name] for name in free}, options)
    if 'hunt' in values and used.get('search', values['search']) == GRID:
        used |= {'num_searches': values['max_trials'] or -1, 'max_trials': None, 'max_broken': None}
    return search_options({**values, **used}) if used else options


def _of_kind(configuration: Configuration, chosen: str, *, is_hunt: bool) -> Mapping[str, Any]:
    """What is suggested, as options of the kind of search that it is.

    Args:
        configuration: What suggests it.
        chosen: The sampler, if it is chosen already.
        is_hunt: Whether the command line is Oríon's, in which random search is no grid.

    Raises:
        ConfigError: See :func:`with_suggested`.
    """
    suggested = dict(configuration.suggested)
    problem = suggested.pop('problem', '')
    if chosen and chosen != GRID:
        return {name: value for name, value in suggested.items() if name not in _OF_SAMPLER}
    if problem and not chosen:
        raise ConfigError([problem])
    is_grid = suggested.get('search') in ((GRID,) if is_hunt else _GRIDS)
    if chosen or (is_grid and not configuration.distributions):
        others = {name: value for name, value in suggested.items() if name != 'search'}
        return others | ({'num_searches': suggested['max_trials']} if 'max_trials' in suggested else {})
    return suggested


def of_workers(count: int, values: Mapping[str, Any], gpus: Callable[[], int] | None = None) -> dict[str, int]:
    """The option by which so many runs go at a time, unless another one says how many.

    Args:
        count: How many.
        values: The options that are given, by name.
        gpus: Counts the GPUs that may be used here; None: the real ones.
    """
    if values.get('run_cluster'):
        return {'num_jobs': count}
    if values.get('cpu_jobs') or values.get('runs_per_job'):
        return {}
    if own_job():
        return {'runs_per_job': count}
    here = (gpus or _gpus_here)() if values.get('visible_gpus') != '-1' else 0
    return {'max_num_jobs_per_gpu': -(-count // here)} if here else {'cpu_jobs': count}


def _gpus_here() -> int:
    """The number of GPUs that runs may use."""
    from hpsearch.host.gpu.source import open_gpus
    from hpsearch.model.placement import choose_visible, inherited_choice

    source = open_gpus()
    if source is None:
        return 0
    gpus, _ = choose_visible(source.gpus, '', *inherited_choice(source.gpus, os.environ))
    source.close()
    return len(gpus)
