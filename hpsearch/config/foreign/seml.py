"""Configurations of SEML: parameters of a script with Sacred, in ``fixed``, ``grid`` and sub-configurations."""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from hpsearch.config.distributions.problems import problems_of
from hpsearch.config.foreign.translation import Keys, Translation, as_it_is, numbers_of
from hpsearch.model.trials.distributions import Choice, Integer, Uniform

MOST_VALUES = 1_000_000
"""Values of a range that is written out."""

_Drawn: TypeAlias = Uniform | Integer | Choice

_META = ('seml', 'slurm')
_SECTIONS = ('fixed', 'grid', 'random')
_OF_TYPE = {
    'choice': ('options',),
    'range': ('min', 'max', 'step'),
    'uniform': ('min', 'max', 'num'),
    'loguniform': ('min', 'max', 'num'),
}
"""The types of parameters of a grid, to what each needs."""


@dataclass(frozen=True)
class _Parameter:
    """The values of a parameter, and the group of those that take their values together; None: it is alone."""

    values: Sequence[Any]
    group: Any = None


_Parameters: TypeAlias = dict[str, _Parameter]


def is_seml(content: Mapping[Any, Any]) -> bool:
    """Whether a document is for SEML: it has the section that each must have."""
    return isinstance(content.get('seml'), Mapping)


def translate_seml(content: Mapping[Any, Any], folder: Path) -> Translation:
    """A configuration of SEML, which is in this folder, in our words."""
    seml = Translation('SEML')
    _translate_meta(seml, content, folder)
    leaves = _leaves(seml, (), content, {})
    for leaf in leaves:
        seml.doubt_words({name: parameter.values for name, parameter in leaf.items()})
    _check_groups(seml, leaves)
    if not seml.problems:
        seml.attributes |= _grid_of(leaves)
    return seml


def _translate_meta(seml: Translation, content: Mapping[Any, Any], folder: Path) -> None:
    meta = seml.mapping(content, 'seml')
    executable, root = (seml.text(meta, 'seml', key) for key in ('executable', 'project_root_dir'))
    if not executable:
        seml.problem(('seml', 'executable'), 'is missing; the path of the script is expected.')
    places = (os.path.normpath(folder / place / executable) for place in (root, ''))
    seml.attributes |= {
        'script_name': next(filter(os.path.exists, places), executable),
        # As Sacred reads them: python3 script.py with name=value
        'fixed_args': ['with'],
        'arg_style': '{name}={value}',
        'bool_style': 'value',
        'list_style': 'python',
        'out_arg': None,
    }
    unused = (f'seml.{key}' for key in meta if key not in ('executable', 'project_root_dir', 'conda_environment'))
    seml.note(unused, 'not used here.')
    seml.note(
        ('seml.conda_environment' for _ in range('conda_environment' in meta)), 'not used here; give --python instead.'
    )
    seml.note(
        ('slurm' for _ in range('slurm' in content)),
        'not used here; for a cluster, give --run_cluster and the options of its jobs.',
    )
    seml.note(['seml'], 'results are read where _RESULT says, not from a database.')


# Parameters and sub-configurations


def _leaves(seml: Translation, keys: Keys, content: Mapping[Any, Any], above: _Parameters) -> list[_Parameters]:
    """The parameters of each innermost sub-configuration, which override those above."""
    own = _own(seml, keys, content)
    children = [key for key in content if key not in _SECTIONS and (keys or key not in _META)]
    for key in children:
        if not isinstance(content[key], Mapping):
            seml.problem((*keys, key), 'is no section; fixed, grid, or a sub-configuration with these is expected.')
    if not own and 'random' not in content:
        seml.problem(keys or ('grid',), 'there are no parameters in fixed, grid or random.')
    nested = [key for key in children if isinstance(content[key], Mapping)]
    if not nested:
        return [above | own]
    return [leaf for key in nested for leaf in _leaves(seml, (*keys, key), content[key], above | own)]


def _own(seml: Translation, keys: Keys, content: Mapping[Any, Any]) -> _Parameters:
    """The parameters of one level."""
    section = {name: seml.mapping(content, *map(str, keys), name) for name in ('fixed', 'grid')}
    fixed = {name: _Parameter([value]) for name, value in _flattened(section['fixed'])}
    grid = dict(_grid_parameters(seml, (*keys, 'grid'), section['grid']))
    for name in fixed.keys() & grid.keys():
        seml.problem((*keys, 'grid', name), 'is in fixed, too; keep one of them.')
    drawn = _drawn(seml, keys, content)
    for name in drawn.keys() & (fixed.keys() | grid.keys()):
        seml.problem((*keys, 'random', name), 'is in fixed or grid, too; keep one of them.')
    own = fixed | grid | drawn
    for name, parameter in own.items():
        where = (*keys, 'fixed' if name in fixed else 'grid' if name in grid else 'random', name)
        if name.startswith('+'):
            seml.problem(where, 'is a named configuration, which is not supported.')
        if any('${' in value for value in parameter.values if isinstance(value, str)):
            seml.problem(where, 'refers to another entry, which is not supported; write its value.')
    return own


def _flattened(section: Mapping[Any, Any], before: str = '') -> Iterator[tuple[str, Any]]:
    """Nested names with dots."""
    for name, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f'{before}{name}.')
        else:
            yield f'{before}{name}', value


def _entries(
    seml: Translation, keys: Keys, section: Mapping[Any, Any], before: str = ''
) -> Iterator[tuple[Keys, str, str, Mapping[Any, Any]]]:
    """Each parameter of a section, nested ones with dots: where it is, its name, its type, and what it says."""
    for name, value in section.items():
        where = (*keys, name)
        if not isinstance(value, Mapping):
            seml.problem(where, f'is {value!r}; a mapping with a type is expected.')
        elif not isinstance(kind := value.get('type', {}), str):
            yield from _entries(seml, where, value, f'{before}{name}.')
        elif kind == 'parameter_collection':
            params = seml.mapping(value, *map(str, where), 'params')
            yield from _entries(seml, (*where, 'params'), params, f'{before}{name}.')
        else:
            yield where, f'{before}{name}', kind, value


def _grid_parameters(seml: Translation, keys: Keys, section: Mapping[Any, Any]) -> Iterator[tuple[str, _Parameter]]:
    for where, name, kind, value in _entries(seml, keys, section):
        yield name, _Parameter(_values(seml, where, kind, value), value.get('zip_id'))


# Drawn parameters


def _drawn(seml: Translation, keys: Keys, content: Mapping[Any, Any]) -> _Parameters:
    """The parameters of ``random``: as many draws as it says, the first of each together, the second of each, ..."""
    section = seml.mapping(content, *map(str, keys), 'random')
    where = (*keys, 'random')
    samples, seed = section.get('samples', 1), section.get('seed', 0)
    if type(samples) is not int or not 1 <= samples <= MOST_VALUES:
        seml.problem(where, f'has {samples!r} as samples; an integer from 1 to {MOST_VALUES} is expected.')
        return {}
    parameters = {key: value for key, value in section.items() if key not in ('samples', 'seed')}
    return {
        name: _Parameter(_draws(distribution, samples, f'{seed if own is None else own} {name}'), group=where)
        for name, distribution, own in _distributions(seml, where, parameters)
    }


def _draws(distribution: _Drawn, samples: int, seed: str) -> list[Any]:
    random = Random(seed)
    return [distribution.at(random.random()) for _ in range(samples)]


def _distributions(seml: Translation, keys: Keys, section: Mapping[Any, Any]) -> Iterator[tuple[str, _Drawn, Any]]:
    """Each parameter of ``random``, with its distribution and its own seed, if it has one."""
    for where, name, kind, value in _entries(seml, keys, section):
        if (distribution := _distribution(seml, where, kind, value)) is not None:
            yield name, distribution, value.get('seed')


def _distribution(seml: Translation, keys: Keys, kind: str, parameter: Mapping[Any, Any]) -> _Drawn | None:
    """The distribution of a parameter; None, and problems: there is none."""
    if kind not in _DRAWN:
        seml.problem(keys, f'has the type {kind!r}; one of {", ".join(_DRAWN)} is expected.')
        return None
    needed = ('options',) if kind == 'choice' else ('min', 'max')
    if unknown := [str(key) for key in parameter if key not in ('type', 'seed', *needed)]:
        seml.problem(keys, f'has {unknown[0]}; {", ".join(needed)} are expected.')
    given = _options(seml, keys, parameter) if kind == 'choice' else numbers_of(seml, keys, parameter, *needed)
    if given is None:
        return None
    distribution = Choice(tuple(given)) if kind == 'choice' else _DRAWN[kind](*given)
    problems = problems_of(distribution)
    for problem in problems:
        seml.problem(keys, problem)
    return None if problems else distribution


_DRAWN: Mapping[str, Callable[..., _Drawn]] = {
    'choice': Choice,
    'uniform': lambda low, high: Uniform(float(low), float(high)),
    'loguniform': lambda low, high: Uniform(float(low), float(high), log=True),
    # Without the upper bound, as SEML draws them.
    'randint': lambda low, high: Integer(int(low), int(high) - 1),
}
"""The types of parameters of ``random``."""


def _values(seml: Translation, keys: Keys, kind: str, parameter: Mapping[Any, Any]) -> Sequence[Any]:
    """The values of a parameter of a grid; none, and problems, where they are not known."""
    if kind not in _OF_TYPE:
        seml.problem(keys, f'has the type {kind!r}; one of {", ".join(_OF_TYPE)} is expected.')
        return []
    if unknown := [str(key) for key in parameter if key not in ('type', 'zip_id', *_OF_TYPE[kind])]:
        seml.problem(keys, f'has {unknown[0]}; {", ".join(_OF_TYPE[kind])} are expected.')
    if kind != 'choice':
        numbers = numbers_of(seml, keys, parameter, *_OF_TYPE[kind])
        return [] if numbers is None else _series(seml, keys, kind, *numbers)
    return _options(seml, keys, parameter) or []


def _options(seml: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> list[Any] | None:
    options = parameter.get('options')
    if isinstance(options, list) and options:
        return options
    seml.problem(keys, f'has {options!r} as options; a list of values is expected.')
    return None


def _series(seml: Translation, keys: Keys, kind: str, low: float, high: float, third: float) -> Sequence[Any]:
    if kind == 'loguniform' and (low <= 0 or high <= 0):
        seml.problem(keys, 'has a min or max that is not above 0.')
    elif kind == 'range' and third == 0:
        seml.problem(keys, 'has 0 as step.')
    elif not 1 <= (count := math.ceil((high - low) / third) if kind == 'range' else int(third)) <= MOST_VALUES:
        seml.problem(keys, f'has {count} values; 1 to {MOST_VALUES} are expected.')
    elif kind == 'range':
        step = (low + third) - low
        return [low + index * step for index in range(count)]
    elif kind == 'uniform':
        return _evenly(low, high, count)
    else:
        return [10.0**exponent for exponent in _evenly(math.log10(low), math.log10(high), count)]
    return []


def _evenly(low: float, high: float, count: int) -> list[float]:
    """Numbers from ``low`` to ``high``, both included."""
    step = (high - low) / max(1, count - 1)
    return [*(low + index * step for index in range(count - 1)), float(high) if count > 1 else float(low)]


# The grid


def _groups(leaf: _Parameters) -> list[list[str]]:
    """The parameters that take their values together."""
    groups: dict[Any, list[str]] = {}
    for name, parameter in leaf.items():
        if parameter.group is not None:
            groups.setdefault(parameter.group, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _check_groups(seml: Translation, leaves: Sequence[_Parameters]) -> None:
    for leaf in leaves:
        if len({parameter.group for parameter in leaf.values() if _is_drawn(parameter)}) > 1:
            seml.problem(('random',), 'is in a sub-configuration, too; keep one of them.')
        for names in _groups(leaf):
            lengths = {name: len(leaf[name].values) for name in names}
            if len(set(lengths.values())) > 1:
                listed = ', '.join(f'{count} of {name!r}' for name, count in lengths.items())
                seml.problem(('grid',), f'has {listed} with one zip_id; as many values of each are expected.')


def _is_drawn(parameter: _Parameter) -> bool:
    return isinstance(parameter.group, tuple) and parameter.group[-1:] == ('random',)


def _grid_of(leaves: Sequence[_Parameters]) -> dict[str, Any]:
    if len(leaves) == 1:
        return {'grid': _written(leaves[0]), 'zipped': _groups(leaves[0])}
    return {'grid': [row for leaf in leaves for row in _rows(leaf)]}


def _rows(leaf: _Parameters) -> Iterator[dict[str, list[Any]]]:
    """A sub-configuration as rows of a grid: groups are its own, so each of their places is a row."""
    groups, written = _groups(leaf), _written(leaf)
    for places in product(*(range(len(leaf[names[0]].values)) for names in groups)):
        chosen = {name: [written[name][place]] for names, place in zip(groups, places, strict=True) for name in names}
        yield written | chosen


def _written(leaf: _Parameters) -> dict[str, list[Any]]:
    return {name: [_as_sacred_reads(value) for value in parameter.values] for name, parameter in leaf.items()}


def _as_sacred_reads(value: Any) -> Any:
    """What Sacred reads as this value: it evaluates what looks like a value of Python; the rest is a text."""
    if isinstance(value, Mapping):
        return repr(dict(value))
    return as_it_is(repr(value) if _looks_like_a_value(value) else value) if isinstance(value, str) else value


def _looks_like_a_value(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True
