"""What a configuration says of samplers and pruners, where the command line does not say it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from hpsearch.cli.adaptive.options import GRID, NO_PRUNER, AdaptiveOptions, LimitOptions, PruneOptions
from hpsearch.cli.options import GROUPS, SearchOptions, add_options
from hpsearch.config.profile import checked_value
from hpsearch.config.source import OF_SAMPLERS, YAML_SUFFIXES
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError

_OF_ALL = ('objective', 'direction')
_OF_ADAPTIVE = {each.name for group in (AdaptiveOptions, LimitOptions) for each in fields(group)} - set(_OF_ALL)
_OF_PRUNERS = {each.name for each in fields(PruneOptions)}


def with_configuration(options: SearchOptions, configuration: Configuration) -> SearchOptions:
    """The options, those that the command line does not give from the configuration.

    Where a grid is gone through after all, it needs no sampler, and no end.

    Raises:
        ConfigError: With everything that no option takes.
    """
    actions, problems = _actions(), []
    values: dict[str, Any] = {}
    for name, value in configuration.of_samplers.items():
        try:
            values[name] = _checked(_spelled(name, configuration), value, actions[name])
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    given = options.configuration.given
    values = without_idle({name: value for name, value in values.items() if name not in given}, options)
    said = replace(options.configuration, given=tuple(sorted({*given, *values})))
    return _replaced(replace(options, configuration=said), values)


def without_idle(values: Mapping[str, Any], options: SearchOptions) -> dict[str, Any]:
    """Values for options without those of a sampler, or a pruner, where there is none."""
    idle: set[str] = set()
    if values.get('search', options.adaptive.search) == GRID:
        idle |= _OF_ADAPTIVE
    if values.get('prune', options.pruning.prune) == NO_PRUNER:
        idle |= _OF_PRUNERS
    return {name: value for name, value in values.items() if name not in idle}


def _actions() -> dict[str, argparse.Action]:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return {action.dest: action for action in parser._actions}


def _spelled(name: str, configuration: Configuration) -> str:
    return name if configuration.source.endswith(YAML_SUFFIXES) else OF_SAMPLERS[name]


def _checked(spelled: str, value: Any, action: argparse.Action) -> Any:
    """A value as the option has it; a dict is the names and values of one that takes such pairs.

    Raises:
        ValueError: The option does not take it.
    """
    if isinstance(value, Mapping):
        value = [f'{name}={each}' for name, each in value.items()]
    checked = checked_value(spelled, value, action)
    return tuple(checked) if isinstance(checked, list) else checked


def _replaced(options: SearchOptions, values: Mapping[str, Any]) -> SearchOptions:
    groups = {}
    for name, group in GROUPS.items():
        own = {each.name: values[each.name] for each in fields(group) if each.name in values}
        if own:
            groups[name] = replace(getattr(options, name), **own)
    return replace(options, **groups)
