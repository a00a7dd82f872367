"""In what searches differ, as far as it may explain why their results do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hpsearch.cli.comparing.facts import Facts
from hpsearch.cli.options import GROUPS, DisplayOptions, FolderOptions, SearchOptions, flat
from hpsearch.config.distributions.notation import text_of
from hpsearch.model.command import shell_line
from hpsearch.model.states import REUSED
from hpsearch.model.trials.distributions import Drawn
from hpsearch.records.search import SearchRecord

LONGEST_CODE = 12
"""Characters that are shown of what identifies code."""

MOST_VALUES = 8
"""Values of a parameter that are all shown."""

_DEFAULTS = json.loads(json.dumps(flat(SearchOptions())))

_WITHOUT_EFFECT = {
    *(each.name for group in (FolderOptions, DisplayOptions, GROUPS['notify']) for each in fields(group)),
    *('given', 'grid_module', 'command', 'profile', 'learn_from', 'reuse'),
}
"""Options that say nothing of what was run, or that other differences show."""

_ATTRIBUTES = {
    'script': 'script',
    'command': 'command',
    'conditions': 'conditions',
    'fixed_args': 'fixed arguments',
    'env': 'environment',
}
"""Attributes of a configuration to what they are called."""


@dataclass(frozen=True)
class Difference:
    """One thing in which searches differ.

    Attributes:
        kind: ``option``, ``values`` (of a parameter), ``configuration`` or ``code``.
        name: What it is.
        texts: What it is in each search; empty: it is not there.
    """

    kind: str
    name: str
    texts: Sequence[str]


def differences(searches: Sequence[SearchRecord]) -> Iterator[Difference]:
    """Everything in which searches differ: their spaces, what is run, code, options."""
    yield from _between('values', [_grid(search) for search in searches], _listed)
    configurations = [{_ATTRIBUTES[name]: _attributes(each).get(name) for name in _ATTRIBUTES} for each in searches]
    yield from _between('configuration', configurations, _plain)
    yield from _between('code', [{'code': _codes(search)} for search in searches], str)
    yield from _between('option', [_options(search) for search in searches], _plain)


def _between(kind: str, found: Sequence[Mapping[str, Any]], text: Callable[[Any], str]) -> Iterator[Difference]:
    for name in dict.fromkeys(name for each in found for name in each):
        texts = [text(each[name]) if name in each else '' for each in found]
        if len({_compared(each.get(name)) for each in found}) > 1:
            yield Difference(kind, name, texts)


def _compared(value: Any) -> str:
    """What is the same for the same values; a list in another order is the same."""
    value = sorted(map(_compared, value)) if isinstance(value, list) else value
    return json.dumps(value, sort_keys=True, default=str)


def _attributes(search: SearchRecord) -> Mapping[str, Any]:
    attributes = search.info.get('configuration', {}).get('attributes', {})
    return attributes if isinstance(attributes, Mapping) else {}


def _grid(search: SearchRecord) -> Mapping[str, Any]:
    grid = search.configuration.grid
    return {name: text_of(each.distribution) if isinstance(each, Drawn) else list(each) for name, each in grid.items()}


def _options(search: SearchRecord) -> Mapping[str, Any]:
    """All options as they are given; a search that does not name one, as of an earlier version, has its default."""
    stored = search.info.get('options', {})
    return {
        f'--{each.metadata["flag"] or each.name}': stored.get(each.name, _DEFAULTS[each.name])
        for group in GROUPS.values()
        for each in fields(group)
        if each.metadata and each.name not in _WITHOUT_EFFECT
    }


def _codes(search: SearchRecord) -> str:
    attempts = (each for run in search.runs for each in run.attempts if each.cause != REUSED)
    return ', '.join(dict.fromkeys(each.code_id[:LONGEST_CODE] for each in attempts if each.code_id))


def _plain(value: Any) -> str:
    if value in (None, '', [], {}):
        return 'none'
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return shell_line(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _listed(values: Any) -> str:
    if not isinstance(values, list):
        return _plain(values)
    if len(values) <= MOST_VALUES:
        return ', '.join(map(_plain, values))
    return f'{_plain(values[0])}, {_plain(values[1])}, ..., {_plain(values[-1])} ({len(values)} values)'


def doubts(facts: Sequence[Facts], found: Sequence[Difference]) -> Iterator[str]:
    """Why the values of searches may not be comparable, in sentences."""
    objectives = list(dict.fromkeys(each.objective_text for each in facts))
    keys = {each.objective.key for each in facts if each.objective}
    if '' in objectives:
        without = ', '.join(each.name for each in facts if each.objective is None)
        yield f'{without}: nothing says by what runs are compared, so there is no best one.'
    if len(keys) > 1:
        yield f'the objectives differ, so the values cannot be compared: {", ".join(filter(None, objectives))}.'
    elif len(set(filter(None, objectives))) > 1:
        yield f'the directions differ: {", ".join(filter(None, objectives))}.'
    spaces = [each.name for each in found if each.kind == 'values']
    if spaces:
        yield f'the spaces differ ({", ".join(spaces)}): what is better may be so because of other values.'
