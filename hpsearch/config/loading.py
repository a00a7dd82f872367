"""Loads a configuration: reads it, replaces what the command line says, and checks the whole."""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.config.checks import check
from hpsearch.config.distributions.notation import is_distribution, read_distribution
from hpsearch.config.inline.command import source_of, untold
from hpsearch.config.inline.hunt import CommandLine
from hpsearch.config.inline.objective import GivenResults, results_said
from hpsearch.config.inline.template import with_template
from hpsearch.config.source import SPELLINGS, YAML_SUFFIXES, Source, read_source
from hpsearch.config.yaml_file import YamlFile, parse_yaml, read_yaml_file
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, did_you_mean, one_line

_REPLACEABLE = ('grid', 'zipped', 'conditions')


def load_configuration(
    grid_module: str,
    *,
    cwd: Path,
    grid_config: str = '',
    replacements: Sequence[str] = (),
    command: CommandLine | None = None,
    results: GivenResults = GivenResults(),  # noqa: B008  it cannot change
    is_sampled: bool = False,
) -> Configuration:
    """Read and check a configuration.

    Args:
        grid_module: Name of a module, path of a ``.py`` file, or path of a ``.yml`` or ``.yaml`` file.
        cwd: Where relative paths start and modules are searched.
        grid_config: Path of a YAML, JSON or pickle file whose ``grid`` and ``conditions`` replace the module's.
        replacements: Texts ``name=[v1,v2]`` or ``name~uniform(a, b)`` that replace entries of the grid, after
            ``grid_config``.
        command: A command that is the configuration itself, instead of a ``grid_module``; then ``cwd`` is where the
            runs work.
        results: What is said of results elsewhere.
        is_sampled: Whether values are drawn, whatever the configuration says.

    Raises:
        ConfigError: With all problems that were found.
    """
    cwd = Path(os.path.abspath(cwd))
    source = source_of(command, cwd) if command else read_source(grid_module, cwd)
    attributes = dict(source.attributes)
    attributes = results.applied(attributes if results.key else results_said(attributes).applied(attributes))
    problems: list[str] = []
    files = dict.fromkeys(SPELLINGS, source.file)
    if grid_config:
        replaced, file = _read_grid_config(cwd / grid_config, problems)
        attributes, files = attributes | replaced, files | dict.fromkeys(replaced, file)
    attributes |= _with_replacements(attributes.get('grid'), replacements, problems)
    found: list[str] = []
    if command is None:
        attributes = _with_template(source, attributes, found, is_sampled=is_sampled)
    configuration = check(source, attributes, found)
    found += untold(configuration) if command and not command.hunt else ()
    given = {_parts(text)[0].removeprefix('+') for text in replacements}
    problems = [
        *(_placed(problem, {}, source.file, set()) for problem in source.problems),
        *problems,
        *(_of_word(problem) if command else _placed(problem, files, source.file, given) for problem in found),
    ]
    if problems:
        raise ConfigError(problems)
    return configuration


def _with_template(
    source: Source, attributes: Mapping[str, Any], problems: list[str], *, is_sampled: bool
) -> dict[str, Any]:
    draws = is_sampled or attributes.get('search', 'grid') != 'grid'
    more, found = with_template(attributes, source.path.parent, is_sampled=draws)
    problems += [f'{source.spelled("config_template")}: {problem}' for problem in found]
    return more


_KEY = re.compile(r"""(?:\[|: the option |: has )(?:(\d+)|'([^']*)'|"([^"]*)")|, (when|then)""")


def _placed(problem: str, files: Mapping[str, YamlFile | None], source: YamlFile | None, given: Collection[str]) -> str:
    """A problem, after the file and the line of the value that has it, where these are of YAML.

    Args:
        problem: What is wrong; it begins with the name of the attribute and the keys that lead to the value.
        files: Attribute to the file that it comes from; None: it is no YAML file.
        source: The file of all others.
        given: Options of the grid whose values the command line gives.
    """
    name = re.split(r': |\[', problem, maxsplit=1)[0]
    keys, end = [], len(name)
    while found := _KEY.match(problem, end):
        keys.append(int(found[1]) if found[1] else next(text for text in found.groups() if text is not None))
        end = found.end() + problem.startswith(']', found.end())
    file = None if name == 'grid' and any(key in given for key in keys[:2]) else files.get(name, source)
    if file is None:
        return problem
    spelled = next((each for each in (name, SPELLINGS.get(name, '')) if (each,) in file.lines), name)
    return f'{file.place(spelled, *keys)}: {problem}'


_SAID_OF_COMMANDS = (
    (r"""\Agrid\[(['"])(.+?)\1\]""", r'\2'),
    (r'\Aperformance_key: is ', '--objective: is '),
    (r'; set result or summary_keywords\.\Z', '; give --result too, or both at once: --objective metrics.csv:val_acc.'),
)
"""What is said of attributes that nobody has written, since the command line has options for them."""


def _of_word(problem: str) -> str:
    """A problem with a value of a command, which is in no grid that anybody has written."""
    for written, said in _SAID_OF_COMMANDS:
        problem = re.sub(written, said, problem)
    return problem


def _read_grid_config(path: Path, problems: list[str]) -> tuple[dict[str, Any], YamlFile | None]:
    """What a file replaces, and the file if it is YAML."""
    try:
        content, file = _grid_config_content(path)
    except ConfigError as error:
        problems += error.problems
        return {}, None
    if not isinstance(content, Mapping) or not set(content) & set(_REPLACEABLE):
        problems.append(
            f'--grid_config: {path} holds {reprlib.repr(content)}; a dict with grid or conditions is expected.'
        )
        return {}, None
    return {name: content[name] for name in _REPLACEABLE if name in content}, file


def _grid_config_content(path: Path) -> tuple[Any, YamlFile | None]:
    if path.suffix in YAML_SUFFIXES:
        file = read_yaml_file(path, '--grid_config')
        return file.content, file
    if path.suffix != '.json':
        from hpsearch.config.safe_pickle import load_plain_pickle

        return load_plain_pickle(path, '--grid_config'), None
    try:
        return json.loads(path.read_bytes()), None
    except (OSError, ValueError) as error:
        raise ConfigError([f'--grid_config: {path} cannot be read: {one_line(error)}']) from error


def _with_replacements(grid: Any, replacements: Sequence[str], problems: list[str]) -> dict[str, Any]:
    rows = [grid] if isinstance(grid, Mapping) else grid
    if not replacements or not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        return {}
    known = _values_by_option(rows)
    pairs = [_replacement(text, known, problems) for text in replacements]
    replaced = [{**row, **{name: values for name, values in pairs if name}} for row in rows]
    return {'grid': replaced[0] if isinstance(grid, Mapping) else replaced}


def _values_by_option(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """All values of the options of a grid, as far as they can be read before they are checked."""
    known: dict[str, list[Any]] = {}
    for row in rows:
        for option, values in row.items():
            known.setdefault(option, []).extend(values if isinstance(values, (list, tuple)) else [values])
    return known


def _replacement(text: str, grid: Mapping[str, Any], problems: list[str]) -> tuple[str, Any]:
    name, sign, values = _parts(text)
    if not sign:
        problems.append(f'--set: {text!r} has no "="; name=[v1,v2] is expected.')
    elif name not in grid and not name.startswith('+') and (hint := did_you_mean(name, grid)).endswith('?'):
        problems.append(f'--set: {name!r} is not in the grid{hint} To add it, write +{name}.')
    else:
        try:
            return name.removeprefix('+'), _replaced_values(values, grid.get(name))
        except ValueError as error:
            problems.append(f'--set: the values in {text!r} cannot be read: {error}')
    return '', []


def _parts(text: str) -> tuple[str, str, str]:
    """Name, sign and values; the sign is ``~`` only where a distribution follows it, since names may have one."""
    found = re.fullmatch(r'([^=~]+)(~)(.*)', text, re.DOTALL)
    drawn = (found[1], found[2], found[3]) if found and is_distribution(found[3]) else None
    return drawn or text.partition('=')


def _replaced_values(text: str, before: Any) -> Any:
    """The values in YAML: a list, a single value, several with commas between them, or a distribution.

    Raises:
        ValueError: They cannot be parsed, or may be one value with a comma in it as well.
    """
    if is_distribution(text):
        return read_distribution(text).distribution
    parsed = parse_yaml(text) if text else ''
    if isinstance(parsed, str) and ',' in text and text[0] not in '\'"':
        if isinstance(before, (list, tuple)) and any(isinstance(value, str) and ',' in value for value in before):
            raise ValueError(f'one value or several? Write [{text}] or ["{text}"]')
        parsed = parse_yaml(f'[{text}]')
    return parsed if isinstance(parsed, list) else [parsed]
