"""The options of samplers (``--search_options``): which there are, and their values from text."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from hpsearch.model.errors import ConfigError

Types: TypeAlias = frozenset[str]
"""Names of the types that a value may have: ``int``, ``float``, ``bool``, ``str`` and ``None``."""

SCALARS: Types = frozenset({'int', 'float', 'bool', 'str', 'None'})

OWN: Mapping[str, Mapping[str, Types]] = {
    'cmaes': {'popsize': frozenset({'int'}), 'sigma0': frozenset({'float'}), 'lr_adapt': frozenset({'bool'})},
    'gp': {'seen_trials': frozenset({'int'})},
    'nsga2': {'seen_trials': frozenset({'int'})},
    'tpe': {'seen_trials': frozenset({'int'})},
}
"""Of each sampler the options that are not Optuna's."""

LEAST: Mapping[str, float] = {'popsize': 2, 'sigma0': 1e-6, 'seen_trials': 10}
"""The smallest values of the options that are not Optuna's."""

REFUSED: Mapping[str, str] = {'seed': 'the seed of a search is --random_seed'}
"""Options of Optuna's samplers that a search sets itself."""

_TRUTH = {'true': True, 'yes': True, '1': True, 'false': False, 'no': False, '0': False}


def checked_options(search: str, given: Mapping[str, str], theirs: Mapping[str, Types | None]) -> dict[str, Any]:
    """The values of options, from their texts.

    Args:
        search: The sampler, as in ``--search``.
        given: Option to its text.
        theirs: Options of Optuna's class, see :func:`options_of`.

    Raises:
        ConfigError: An option is unknown, cannot be given as text, or has a text of another type; names all of them.
    """
    known: dict[str, Types | None] = {**theirs, **OWN.get(search, {})}
    problems = [line for name, text in given.items() if (line := _problem(search, name, text, known))]
    if problems:
        raise ConfigError(problems)
    return {name: _value(text, known[name] or SCALARS) for name, text in given.items()}


def options_of(constructor: Any) -> dict[str, Types | None]:
    """The keywords of a constructor with their types; None: they are no text, such as a function."""
    parameters = inspect.signature(constructor).parameters.values()
    return {each.name: _types(str(each.annotation)) for each in parameters if each.name != 'self'}


def _types(annotation: str) -> Types | None:
    words = set(re.findall(r'[\w.]+', annotation)) - {'Optional', 'Union'}
    return frozenset(words) if words <= SCALARS else None


def _problem(search: str, name: str, text: str, known: Mapping[str, Types | None]) -> str:
    option = f'--search_options {name}={text}'
    if name in REFUSED:
        return f'{option}: {REFUSED[name]}.'
    if name not in known:
        return f'{option}: {_unknown(search, name, [each for each, types in known.items() if types])}'
    types = known[name]
    if types is None:
        return f'{option}: {name} is a function or an object, which cannot be given on a command line.'
    try:
        value = _value(text, types)
    except ValueError:
        return f'{option}: expected {" or ".join(_in_words(types))}.'
    return f'{option}: expected at least {LEAST[name]}.' if name in LEAST and value < LEAST[name] else ''


def _unknown(search: str, name: str, known: Iterable[str]) -> str:
    names = sorted(set(known) - set(REFUSED))
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f'--search={search} has no option {name}; did you mean {near[0]}?'
    return (
        f'--search={search} has no option {name}; it has {", ".join(names)}.'
        if names
        else (f'--search={search} has no options.')
    )


def _value(text: str, types: Types) -> Any:
    """The text as the first of the types that fits, the strictest one first.

    Raises:
        ValueError: None does.
    """
    word = text.strip().lower()
    if 'None' in types and word == 'none':
        return None
    if 'bool' in types and word in _TRUTH:
        return _TRUTH[word]
    for name, read in (('int', int), ('float', float), ('str', str)):
        if name in types:
            try:
                return read(text)
            except ValueError:
                continue
    raise ValueError(text)


def _in_words(types: Types) -> list[str]:
    words = {'int': 'a whole number', 'float': 'a number', 'bool': 'true or false', 'str': 'a text', 'None': 'none'}
    return [words[each] for each in words if each in types]
