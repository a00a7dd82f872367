"""Configurations of Oríon, with the command that follows ``orion hunt`` and the space file that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.config.foreign.translation import Translation
from hpsearch.config.yaml_file import read_yaml_file
from hpsearch.model.errors import ConfigError

_KNOWN = {'experiment', 'database', 'storage', 'worker', 'evc', 'frameworks_conf', 'debug'}
_ALGORITHMS = ('random', 'gridsearch')
_COMMAND = ('x-hpsearch', 'command')
_OPTION = re.compile(r'-+(?P<name>\w[\w.-]*)')
_PRIOR = re.compile(rf'(?:(?P<option>{_OPTION.pattern})(?P<sign>~|=orion~|=~)|orion~)(?P<prior>.*)', re.DOTALL)
_OF_TRIAL = {'{trial.working_dir}': '{out_dir}', '{trial.id}': '{run}', '{trial.hash_params}': '{run}'}
_READABLE = ('.yaml', '.yml', '.json')


def is_orion(content: Mapping[Any, Any]) -> bool:
    """Whether a document is for Oríon: it describes an experiment, and has no other keys than Oríon's."""
    return isinstance(content.get('experiment'), Mapping) and content.keys() <= _KNOWN


def translate_orion(content: Mapping[Any, Any], command: Any, folder: Path) -> Translation:
    """A configuration of Oríon in our words.

    Args:
        content: The document.
        command: The words that follow ``orion hunt`` and its own options; None: they are not known.
        folder: Where the document is, and where relative paths of space files begin.
    """
    orion = Translation('Oríon')
    orion.attributes |= {
        'out_arg': None,
        'list_style': 'python',
        'result': 'orion',
        'performance_key': 'objective',
        'performance_sort_asc': True,
    }
    _translate_experiment(orion, content)
    if isinstance(command, list) and command and all(isinstance(word, (str, int, float)) for word in command):
        config_arg = orion.text(orion.mapping(content, 'worker'), 'worker', 'user_script_config') or 'config'
        _translate_command(orion, [str(word) for word in command], config_arg, folder)
    else:
        orion.problem(
            ('experiment',),
            'does not say what to run; add, as a list below x-hpsearch: command:, the words that follow "orion hunt".',
        )
    return orion


def _translate_experiment(orion: Translation, content: Mapping[Any, Any]) -> None:
    experiment = orion.mapping(content, 'experiment')
    for key in ('algorithm', 'algorithms'):
        if key in experiment and (name := _name_of(experiment[key])).lower() not in _ALGORITHMS:
            orion.problem(
                ('experiment', key), f'is {name}, which is not supported; {" or ".join(_ALGORITHMS)} is expected.'
            )
    if 'max_trials' in experiment:
        most = experiment['max_trials']
        orion.note(['experiment.max_trials'], f'give --num_searches={most} to run {most} combinations at most.')
    used = ('algorithm', 'algorithms', 'max_trials')
    orion.note([f'experiment.{key}' for key in experiment if key not in used], 'not used here.')
    orion.note([key for key in content if key != 'experiment'], 'not used here.')


def _name_of(algorithm: Any) -> str:
    """The name of an algorithm: it is the only key, or below ``type``."""
    if isinstance(algorithm, Mapping) and algorithm:
        return str(algorithm.get('type', next(iter(algorithm))))
    return str(algorithm)


# The command


def _translate_command(orion: Translation, words: Sequence[str], config_arg: str, folder: Path) -> None:
    grid: dict[str, list[Any]] = {}
    rest, space_file = _without_config(words, config_arg)
    if space_file and _is_space(orion, folder / space_file, grid):
        orion.attributes |= {'config_template': str(folder / space_file), 'config_arg': config_arg}
        words = rest
    orion.attributes |= {'grid': grid, 'command': list(_filled_in(orion, words, grid))}
    if '{out_dir}' in ''.join(orion.attributes['command']):
        orion.attributes |= {'make_out_dir': True}
    if not grid and not orion.problems:
        orion.problem(_COMMAND, 'has no priors, and no space file with some.')


def _without_config(words: Sequence[str], config_arg: str) -> tuple[list[str], str]:
    """The words without those of the space file, and its path; empty: there is none."""
    option = f'--{config_arg}'
    for place, word in enumerate(words):
        if word.startswith(f'{option}='):
            return [*words[:place], *words[place + 1 :]], word.removeprefix(f'{option}=')
        if word == option and place + 1 < len(words):
            return [*words[:place], *words[place + 2 :]], words[place + 1]
    return list(words), ''


def _filled_in(orion: Translation, words: Sequence[str], grid: dict[str, list[Any]]) -> Iterator[str]:
    """The words with placeholders instead of priors, whose values go into the grid."""
    for before, word in zip(['', *words], words, strict=False):
        found = _PRIOR.fullmatch(word)
        option = _OPTION.fullmatch(before)
        if found is None:
            yield _of_our_trial(word)
        elif name := found['name'] or (option and option['name']):
            grid[name] = _values(orion, name, found['prior'])
            yield from _with_placeholder(f'{{{name}}}', found['option'], found['sign'])
        else:
            orion.problem(_COMMAND, f'has {word!r} without an option before it, which is its name.')


def _with_placeholder(placeholder: str, option: str | None, sign: str | None) -> list[str]:
    if option is None:
        return [placeholder]
    return [option, placeholder] if sign == '~' else [f'{option}={placeholder}']


def _of_our_trial(word: str) -> str:
    for theirs, ours in _OF_TRIAL.items():
        word = word.replace(theirs, ours)
    return word


# The space


def _is_space(orion: Translation, path: Path, grid: dict[str, list[Any]]) -> bool:
    """Whether a file has priors, whose values go into the grid."""
    if path.suffix not in _READABLE:
        orion.problem(_COMMAND, f'has {path.name}; a space file in YAML or JSON is expected.')
        return False
    try:
        content = read_yaml_file(path, path.name).content
    except ConfigError as error:
        for problem in error.problems:
            orion.problem(_COMMAND, problem)
        return False
    priors = dict(_priors(content))
    grid.update({name: _values(orion, f'{path.name}: {name}', prior) for name, prior in priors.items()})
    return bool(priors)


def _priors(content: Any, before: str = '') -> Iterator[tuple[str, str]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _priors(value, f'{before}.{key}' if before else str(key))
    elif isinstance(content, str) and content.startswith('orion~'):
        yield before, content.removeprefix('orion~')


def _values(orion: Translation, name: str, prior: str) -> list[Any]:
    """The values of a prior; none, and a problem, where they are not listed."""
    try:
        call = ast.parse(prior, mode='eval').body
        kind = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ''
        arguments = [ast.literal_eval(each) for each in call.args] if isinstance(call, ast.Call) else []
        named = [each.arg for each in call.keywords] if isinstance(call, ast.Call) else []
    except (SyntaxError, ValueError):
        orion.problem(_COMMAND, f'{name}: {prior!r} cannot be read; choices([...]) is expected.')
        return []
    if kind != 'choices' or not arguments:
        orion.problem(
            _COMMAND, f'{name}: drawing from {prior} is not supported yet. Write what to try: choices([...]).'
        )
        return []
    if others := [str(each) for each in named if each != 'default_value']:
        orion.problem(_COMMAND, f'{name}: {", ".join(others)} is not supported.')
    if isinstance(arguments[0], dict):
        orion.problem(_COMMAND, f'{name}: probabilities are not supported: each value is as likely. Write a list.')
    return list(arguments[0]) if isinstance(arguments[0], (list, tuple)) else arguments
