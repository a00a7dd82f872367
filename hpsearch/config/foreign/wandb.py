"""Configurations of sweeps of Weights & Biases (W&B)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from hpsearch.arguments.placeholders import literal
from hpsearch.config.distributions.notation import read_mapping
from hpsearch.config.distributions.problems import problems_of
from hpsearch.config.foreign.translation import Keys, Translation, as_it_is
from hpsearch.model.trials.distributions import Choice, Distribution, Integer, Uniform, as_list

MOST_INTEGERS = 1_000_000
"""Values of a range of integers that is written out."""

_LABELS = ('name', 'project', 'entity', 'description')
_KNOWN = {*_LABELS, 'program', 'command', 'method', 'parameters', 'metric', 'run_cap', 'early_terminate'}

_STYLES: Mapping[str, Mapping[str, str]] = {
    '${args}': {'arg_style': 'equals', 'bool_style': 'value', 'list_style': 'python'},
    '${args_no_boolean_flags}': {'arg_style': 'equals', 'bool_style': 'flag', 'list_style': 'python'},
    '${args_no_hyphens}': {'arg_style': '{name}={value}', 'bool_style': 'value', 'list_style': 'python'},
}
"""Macros for the parameters, to how they write them."""

_DEFAULT_COMMAND = ('${env}', '${interpreter}', '${program}', '${args}')
_WORDS = {'${env}': '/usr/bin/env', '${interpreter}': '{python}', '${program}': '{script}'}


def is_sweep(content: Mapping[Any, Any]) -> bool:
    """Whether a document is a sweep: it has the two keys that each must have, and a grid has not."""
    return {'method', 'parameters'} <= content.keys()


def translate_sweep(content: Mapping[Any, Any]) -> Translation:
    """A sweep in our words."""
    sweep = Translation('W&B sweep')
    for key in (key for key in content if key not in _KNOWN):
        sweep.problem((key,), 'is no key of a sweep that is known here; remove it.')
    if content['method'] not in ('grid', 'random', 'bayes'):
        sweep.problem(('method',), f'is {content["method"]!r}; grid, random or bayes is expected.')
    grid = dict(_parameters(sweep, ('parameters',), sweep.mapping(content, 'parameters')))
    drawn = _is_drawn(content, grid)
    grid = grid if drawn else {name: _all_values(values) for name, values in grid.items()}
    sweep.suggested |= _suggested(sweep, content, drawn=drawn)
    sweep.attributes |= {'grid': {name: _written(values) for name, values in grid.items()}}
    _translate_command(sweep, content)
    _translate_metric(sweep, content)
    sweep.doubt_words({name: values for name, values in grid.items() if isinstance(values, list)})
    sweep.note((key for key in _LABELS if key in content), 'not used here.')
    return sweep


# The method


def _is_drawn(content: Mapping[Any, Any], grid: Mapping[str, Any]) -> bool:
    """Whether values are proposed by a sampler, since a grid would not do."""
    return content['method'] == 'bayes' or not all(map(_all_values, grid.values()))


def _all_values(values: Any) -> list[Any]:
    """The values of a list, or of a distribution in which each is as likely; empty: there is no end of them."""
    if isinstance(values, Integer) and values.high - values.low < MOST_INTEGERS:
        return list(range(values.low, values.high + 1))
    if isinstance(values, Uniform) and values.step is not None:
        count = round((values.high - values.low) / values.step) + 1
        return [values.at((place + 0.5) / count) for place in range(count)] if count <= MOST_INTEGERS else []
    return values if isinstance(values, list) else []


def _suggested(sweep: Translation, content: Mapping[Any, Any], *, drawn: bool) -> dict[str, Any]:
    """The sampler, its limits, and the pruner, as options of ours."""
    method = content['method']
    if method == 'grid' and drawn:
        sweep.problem(('method',), 'is grid, and a value is drawn from a range; random or bayes is expected.')
    if method == 'bayes':
        sweep.note(['method'], 'bayes is --search=tpe here; a Gaussian process, as W&B has, is --search=gp.')
    if method == 'random' and not drawn:
        sweep.note(
            ['method'], 'each combination is run once, in a random order; give --num_searches=N to run N of them.'
        )
    target = sweep.mapping(content, 'metric').get('target')
    sweep.note(('metric.target' for _ in range(target is not None and not drawn)), 'not used here.')
    found = {'search': 'tpe' if method == 'bayes' else method, 'max_trials': content.get('run_cap')}
    found |= {'target': target if drawn else None, **_early_terminate(sweep, content)}
    return {name: value for name, value in found.items() if value is not None}


def _early_terminate(sweep: Translation, content: Mapping[Any, Any]) -> dict[str, Any]:
    """The pruner: W&B's Hyperband stops runs at the end of each band unless they are among the best."""
    stop = sweep.mapping(content, 'early_terminate')
    if not stop:
        return {}
    unknown = [str(key) for key in stop if key not in ('type', 'min_iter', 'max_iter', 's', 'eta', 'strict')]
    if stop.get('type', 'hyperband') != 'hyperband' or unknown:
        what = unknown[0] if unknown else f'type {stop["type"]!r}'
        sweep.problem(('early_terminate',), f'has {what}; hyperband with min_iter, max_iter, s and eta is expected.')
        return {}
    numbers = {key: stop[key] for key in ('min_iter', 'max_iter', 's', 'eta') if key in stop}
    if not all(type(each) is int and each > 0 for each in numbers.values()):
        sweep.problem(('early_terminate',), f'has {numbers}; integers above 0 are expected.')
        return {}
    sweep.note(('early_terminate.strict' for _ in range('strict' in stop)), 'not used here.')
    return {'prune': 'asha', **_bands(numbers)}


def _bands(numbers: Mapping[str, int]) -> dict[str, Any]:
    """The first band, and the factor between bands."""
    factor = numbers.get('eta', 3)
    if 'max_iter' not in numbers:
        return {'grace_period': numbers.get('min_iter', 1), 'reduction_factor': factor}
    first = max(numbers['max_iter'] // factor ** numbers.get('s', 1), 1)
    return {'grace_period': first, 'reduction_factor': factor, 'max_resource': numbers['max_iter']}


def _translate_metric(sweep: Translation, content: Mapping[Any, Any]) -> None:
    metric = sweep.mapping(content, 'metric')
    for key in (key for key in metric if key not in ('name', 'goal', 'target')):
        sweep.problem(('metric', key), 'is not known; name and goal are expected.')
    goal = metric.get('goal', 'minimize')
    if goal not in ('minimize', 'maximize'):
        sweep.problem(('metric', 'goal'), f'is {goal!r}; minimize or maximize is expected.')
    if name := sweep.text(metric, 'metric', 'name'):
        sweep.attributes |= {
            'result': 'wandb',
            'performance_key': name,
            'performance_sort_asc': goal == 'minimize',
            # The script writes its summary below this folder, online and offline.
            'env': {'WANDB_DIR': '{out_dir}'},
            'make_out_dir': True,
        }


# The command


def _translate_command(sweep: Translation, content: Mapping[Any, Any]) -> None:
    command, program = content.get('command', _DEFAULT_COMMAND), sweep.text(content, 'program')
    if not isinstance(command, (list, tuple)) or not all(isinstance(word, (str, int, float)) for word in command):
        sweep.problem(('command',), f'is {command!r}; a list of words is expected.')
        return
    words = [str(word) for word in command]
    for problem in _problems_of(words, program):
        sweep.problem(('command',) if 'command' in content else ('program',), problem)
    macro = next((word for word in words if word in _STYLES), '${args}')
    if words[-1:] != [macro] and macro in words:
        sweep.note(['command'], f'the words behind {macro} are put before the parameters.')
    sweep.attributes |= {'out_arg': None, **_STYLES[macro], **_run(words, program)}


def _problems_of(words: Sequence[str], program: str) -> Iterator[str]:
    if '${program}' in words and not program:
        yield 'needs program, the path of the script, which is missing.'
    macros = [word for word in words if word in _STYLES]
    if not macros:
        yield f'has none of {", ".join(_STYLES)}; parameters can only be given on the command line.'
    if len(macros) > 1:
        yield f'has {macros[0]} and {macros[1]}; one of them is expected.'
    for word in words:
        if '${' in word and word not in _STYLES and word not in _WORDS:
            yield f'has {word!r}, which is not supported; write the word itself, or one of {", ".join(_STYLES)}.'


def _run(words: Sequence[str], program: str) -> dict[str, Any]:
    """What is run, without the parameters; a Python script where it is one."""
    fixed = [word for word in words if word not in _STYLES]
    before = [word for word in fixed[:3] if word != '${env}'][:2]
    if before == ['${interpreter}', '${program}']:
        return {'script_name': program, 'fixed_args': fixed[fixed.index('${program}') + 1 :]}
    has_script = {'script_name': program} if '${program}' in fixed else {}
    return {**has_script, 'command': [_WORDS.get(word) or literal(word) for word in fixed]}


# The parameters


def _parameters(sweep: Translation, above: Keys, parameters: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Each parameter with a list of its values, or its distribution."""
    for name, parameter in parameters.items():
        keys = (*above, name)
        if not isinstance(parameter, Mapping):
            sweep.problem(keys, f'is {parameter!r}; a mapping with value or values is expected.')
        elif (values := _values(sweep, keys, parameter)) is not None:
            yield str(name), values


def _values(sweep: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> Any:
    """The values of a parameter, or its distribution; None, and a problem, where they are not known."""
    if 'parameters' in parameter:
        return _nested(sweep, keys, parameter)
    if 'value' in parameter and 'values' not in parameter:
        return [parameter['value']]
    if isinstance(parameter.get('values'), list) and 'probabilities' not in parameter:
        return list(parameter['values'])
    return _distribution(sweep, keys, parameter)


def _nested(sweep: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> list[Any]:
    """The combinations of nested parameters, each a value."""
    below = (*keys, 'parameters')
    nested = dict(_parameters(sweep, below, sweep.mapping(parameter, *map(str, below))))
    listed = {name: _all_values(values) for name, values in nested.items()}
    for name in (name for name in listed if not listed[name]):
        sweep.problem((*below, name), 'is nested and drawn from a range; write what to try: values: [...].')
    return [dict(zip(listed, chosen, strict=True)) for chosen in product(*listed.values())]


def _distribution(sweep: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> Any:
    """The distribution of a parameter, or its values where each is as likely."""
    kind = parameter.get('distribution') or _default_kind(parameter)
    if kind not in _DISTRIBUTIONS:
        known = ', '.join(_DISTRIBUTIONS)
        sweep.problem(keys, f'has {kind or "neither value nor values"}; value, values, or one of {known} is expected.')
        return None
    try:
        distribution = _DISTRIBUTIONS[kind]({key: value for key, value in parameter.items() if key != 'distribution'})
    except (ValueError, TypeError, OverflowError) as error:
        sweep.problem(keys, f'{kind} {error}')
        return None
    for problem in problems_of(distribution):
        sweep.problem(keys, f'{kind} {problem}')
    return as_list(distribution) or distribution


def _default_kind(parameter: Mapping[Any, Any]) -> str:
    """The distribution that W&B takes where none is named."""
    if 'values' in parameter:
        return 'categorical'
    bounds = (parameter.get('min'), parameter.get('max'))
    if None in bounds:
        return ''
    return 'int_uniform' if all(type(bound) is int for bound in bounds) else 'uniform'


def _named(name: str) -> Callable[[Mapping[Any, Any]], Distribution]:
    return lambda given: read_mapping({**given, 'distribution': name}).distribution


def _of_exponents(given: Mapping[Any, Any]) -> Distribution:
    bounds = {key: math.exp(given[key]) for key in ('min', 'max') if key in given}
    return read_mapping({**given, **bounds, 'distribution': 'loguniform'}).distribution


_DISTRIBUTIONS: Mapping[str, Callable[[Mapping[Any, Any]], Distribution]] = {
    **{
        name: _named(name)
        for name in ('categorical', 'int_uniform', 'uniform', 'q_uniform', 'normal', 'q_normal', 'log_uniform_values')
    },
    'categorical_w_probabilities': _named('categorical'),
    'q_log_uniform_values': _named('qloguniform'),
    'log_uniform': _of_exponents,
}
"""Distributions of W&B, as functions of the other keys of a parameter."""


def _written(values: Any) -> Any:
    """Values that arrive as W&B writes them: by Python's ``str``, without a shell."""
    if isinstance(values, list):
        return [_text(value) for value in values]
    return replace(values, values=tuple(map(_text, values.values))) if isinstance(values, Choice) else values


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return str(dict(value))
    return as_it_is(value) if isinstance(value, str) else value
