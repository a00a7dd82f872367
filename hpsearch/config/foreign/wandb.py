"""Configurations of sweeps of Weights & Biases (W&B)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from hpsearch.arguments.placeholders import literal
from hpsearch.config.foreign.translation import Keys, Translation, as_it_is

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
    _translate_method(sweep, content)
    _translate_command(sweep, content)
    _translate_metric(sweep, content)
    grid = dict(_parameters(sweep, ('parameters',), sweep.mapping(content, 'parameters')))
    sweep.attributes |= {'grid': {name: [_written(value) for value in values] for name, values in grid.items()}}
    sweep.doubt_words(grid)
    sweep.note((key for key in _LABELS if key in content), 'not used here.')
    return sweep


def _translate_method(sweep: Translation, content: Mapping[Any, Any]) -> None:
    method, cap = content['method'], content.get('run_cap')
    if method not in ('grid', 'random'):
        sweep.problem(('method',), f'is {method!r}, which is not supported; grid or random is expected.')
    if cap is not None:
        sweep.note(['run_cap'], f'give --num_searches={cap} to run {cap} combinations at most.')
    elif method == 'random':
        sweep.note(
            ['method'], 'each combination is run once, in a random order; give --num_searches=N to run N of them.'
        )
    sweep.note((key for key in ('early_terminate',) if key in content), 'not used here: each run goes to its end.')


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
    sweep.note(('metric.target' for _ in range('target' in metric)), 'not used here: all combinations are run.')


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


def _parameters(sweep: Translation, above: Keys, parameters: Mapping[Any, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    for name, parameter in parameters.items():
        keys = (*above, name)
        if not isinstance(parameter, Mapping):
            sweep.problem(keys, f'is {parameter!r}; a mapping with value or values is expected.')
        elif (values := _values(sweep, keys, parameter)) is not None:
            yield str(name), values


def _values(sweep: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> Sequence[Any] | None:
    """The values of a parameter; None, and a problem, where they are not known."""
    if 'probabilities' in parameter:
        sweep.problem(keys, 'has probabilities, which are not supported: each value is as likely. Remove them.')
    elif 'parameters' in parameter:
        nested = dict(
            _parameters(sweep, (*keys, 'parameters'), sweep.mapping(parameter, *map(str, keys), 'parameters'))
        )
        return [dict(zip(nested, chosen, strict=True)) for chosen in product(*nested.values())]
    elif 'values' in parameter and isinstance(parameter['values'], list):
        return list(parameter['values'])
    elif 'value' in parameter:
        return [parameter['value']]
    else:
        return _integers(sweep, keys, parameter)
    return None


def _integers(sweep: Translation, keys: Keys, parameter: Mapping[Any, Any]) -> Sequence[int] | None:
    """All integers of a range, both ends included."""
    low, high = parameter.get('min'), parameter.get('max')
    may_be = parameter.get('distribution', 'int_uniform') == 'int_uniform'
    if may_be and type(low) is type(high) is int and 0 <= high - low < MOST_INTEGERS:
        return range(low, high + 1)
    kind = parameter.get('distribution', 'a range' if low is not None else 'neither value nor values')
    sweep.problem(keys, f'has {kind}; drawing from a range is not supported yet. Write what to try: values: [...].')
    return None


def _written(value: Any) -> Any:
    """A value that arrives as W&B writes it: by Python's ``str``, without a shell."""
    if isinstance(value, Mapping):
        return str(dict(value))
    return as_it_is(value) if isinstance(value, str) else value
