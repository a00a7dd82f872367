"""From the options that stop runs early to what the dispatcher needs, and what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hpsearch.cli.adaptive.settings import objectives_of
from hpsearch.cli.options import SearchOptions
from hpsearch.dispatch.adaptive.settings import PruneSettings
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.pruners.factory import make_pruner
from hpsearch.results.metrics.rules import watching
from hpsearch.results.rules import METRICS
from hpsearch.store.opening.open_search import OpenSearch


def prune_settings(options: SearchOptions, configuration: Configuration) -> PruneSettings | None:
    """Which runs are stopped because of their metrics; None: none is.

    Raises:
        ConfigError: With everything that is wrong with the options.
    """
    if problems := prune_problems(options, configuration):
        raise ConfigError(problems)
    if not options.prunes:
        return None
    chosen, last = options.pruning, options.pruning.max_resource
    objectives = objectives_of(options, configuration)
    return PruneSettings(chosen.prune, _pruner_options(options), objectives, math.inf if last is None else last)


def _pruner_options(options: SearchOptions) -> dict[str, Any]:
    """What is given to the pruner, by the names on the command line."""
    pairs = (text.partition('=') for text in options.pruning.prune_options)
    further = {name: value for name, _, value in pairs}
    given = {name: value for name, value in vars(options.pruning).items() if name not in ('prune', 'prune_options')}
    return {**{name: value for name, value in given.items() if value is not None}, **further}


def _given(options: SearchOptions) -> list[str]:
    """The options of a pruner that were given."""
    return [name for name, value in vars(options.pruning).items() if name != 'prune' and value not in (None, ())]


def prune_problems(options: SearchOptions, configuration: Configuration) -> list[str]:
    """What is wrong with these options, in sentences."""
    if not options.prunes:
        return [f'--{name}: needs --prune=asha or another pruner.' for name in _given(options)]
    what, count = f'--prune={options.pruning.prune}', len(objectives_of(options, configuration))
    problems = []
    if not count:
        problems.append(
            f'{what}: nothing says by which metric runs are compared; set _PERFORMANCE_KEY, or give --objective.'
        )
    if count > 1:
        problems.append(
            f'{what}: runs are compared by one metric, and there are {count} objectives; give one, or leave it out.'
        )
    if not has_metrics(configuration):
        problems.append(
            f'{what}: nothing says where runs report metrics while they go. Set _METRICS to where the script writes '
            'them, such as "lightning" or "stdout: epoch (?P<step>[0-9]+).*acc=(?P<acc>[0-9.]+)", or have it call '
            'hpsearch.report and set _METRICS = [], or _RESULT = "metrics".'
        )
    if options.adaptive.search == 'pbt':
        problems.append(
            f'{what}: with --search=pbt, members go on from better ones instead of being stopped; leave it out.'
        )
    if options.only_submits and not options.cluster.runs_per_job:
        problems.append(
            f'--submit_only: with {what}, somebody has to be there to stop runs; leave it out, or use --runs_per_job, '
            'whose jobs work on the search by themselves.'
        )
    return [*problems, *_pruner_problems(options)]


def with_metrics(search: OpenSearch, options: SearchOptions) -> OpenSearch:
    """A search whose configuration says where runs report metrics, if a pruner is to see them."""
    if not (options.prunes and has_metrics(search.configuration)):
        return search
    return replace(search, configuration=watching(search.configuration))


def has_metrics(configuration: Configuration) -> bool:
    """Whether a configuration says where runs report metrics, or where their result is and grows."""
    is_reported = any(rule.get('format') == METRICS for rule in configuration.results)
    return is_reported or configuration.metrics is not None or bool(watching(configuration).metrics)


def _pruner_problems(options: SearchOptions) -> list[str]:
    try:
        make_pruner(options.pruning.prune, _pruner_options(options))
    except ConfigError as error:
        return list(error.problems)
    return []
