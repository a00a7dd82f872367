"""A search whose configuration is the command itself: ``hpsearch run -- python main.py --lr~'loguniform(1e-5, 1)'``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hpsearch.arguments.placeholders import OUT_DIR, PYTHON, placeholders_in
from hpsearch.arguments.priors import SearchedWords, searched_words
from hpsearch.config.command_checks import names_output
from hpsearch.config.inline.hunt import CommandLine, sha256_of, source_of_hunt
from hpsearch.config.inline.objective import GivenResults
from hpsearch.config.inline.space_file import SpaceFile, missing_files, with_space_file
from hpsearch.config.inline.template import searched_text
from hpsearch.config.inline.values import values_of
from hpsearch.config.source import Source
from hpsearch.config.yaml_file import yaml_text
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.results.rules import rule_of
from hpsearch.store.opening.creation import WRITTEN

FILE_NAME = 'search.yaml'
"""The configuration that is written for such a search, so that it can be gone on from."""


@dataclass
class InlineCommand:
    """What a command says of a search.

    Attributes:
        attributes: Those of a configuration, by their names in YAML.
        problems: What is wrong, in sentences.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def source_of(command: CommandLine, cwd: Path) -> Source:
    """The configuration that a command is.

    Args:
        command: The command.
        cwd: Where the runs work, and the relative paths of its files start.

    Raises:
        ConfigError: With every problem of the command.
    """
    if command.hunt:
        return source_of_hunt(command, cwd / FILE_NAME)
    said = inline_command(command.words, cwd)
    if said.problems:
        raise ConfigError(said.problems)
    return Source(cwd / FILE_NAME, sha256_of(command.words, said.attributes), said.attributes, ())


def inline_command(words: Sequence[str], cwd: Path) -> InlineCommand:
    """What the words of a command say; see :func:`source_of`."""
    said = InlineCommand({'out_arg': None})
    file = with_space_file(_with_interpreter(words, cwd), cwd, searched_text)
    found = searched_words(file.words)
    said.problems += [*file.problems, *found.problems]
    grid = dict(_grid(found.priors, said.problems)) | dict(_grid(_of_file(file, found, said.problems), said.problems))
    command = found.command
    if file.path:
        said.attributes |= {'config_template': file.path}
    else:
        behind = [name for name in found.options if _needs_own_words(grid.get(name))]
        command = _without(command, found, behind)
        said.attributes |= _styles(found, behind)
    if any(OUT_DIR in placeholders_in(word) for word in command) and OUT_DIR not in grid:
        said.attributes |= {'make_out_dir': True}
    said.attributes |= {'command': command, 'grid': grid}
    if not grid and not said.problems:
        said.problems.append(_nothing_searched(words, cwd))
    return said


def _nothing_searched(words: Sequence[str], cwd: Path) -> str:
    missing = next((f'; there is no file {path} either' for path in missing_files(words, cwd)), '')
    return (
        f'{" ".join(words)[:60]}: nothing is to be searched{missing}; write a tilde behind an option, as in '
        "--lr~'loguniform(1e-5, 1)' or --lr~[0.1,0.01]."
    )


def _with_interpreter(words: Sequence[str], cwd: Path) -> list[str]:
    """A Python script that cannot be executed by itself gets its interpreter."""
    first = cwd / words[0]
    is_script = words[0].endswith('.py') and first.is_file() and not os.access(first, os.X_OK)
    return [f'{{{PYTHON}}}', *words] if is_script else list(words)


def _of_file(file: SpaceFile, found: SearchedWords, problems: list[str]) -> Mapping[str, str]:
    """What is searched in a file."""
    problems += [
        f'{os.path.basename(file.path)}: {name} is searched in the command, too; keep one.'
        for name in file.priors.keys() & found.priors.keys()
    ]
    return file.priors


def _grid(priors: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, Any]]:
    """The values of what is searched; a distribution stays a text, as in the grid of a configuration."""
    for name, prior in priors.items():
        try:
            yield name, values_of(prior)
        except ValueError as error:
            problems.append(f'{name}: {prior!r} {error}')


def _needs_own_words(values: Any) -> bool:
    """Whether values are flags, or lists themselves: what they are written as is no single word."""
    return isinstance(values, list) and any(isinstance(value, (bool, list, dict)) for value in values)


def _without(command: Sequence[str], found: SearchedWords, names: Sequence[str]) -> list[str]:
    """The words without those of some options, which are written behind them then."""
    kept: list[str] = []
    for word in command:
        name = next((name for name in names if word.endswith(f'{{{name}}}')), None)
        option = '' if name is None else f'{found.options[name]}{name}'
        if name is not None and word == f'{{{name}}}' and kept[-1:] == [option]:
            kept.pop()
        elif name is None or word != f'{option}={{{name}}}':
            kept.append(word)
    return kept


def _styles(found: SearchedWords, behind: Sequence[str]) -> dict[str, Any]:
    """How values are written that are not what they are in most scripts."""
    styles = dict.fromkeys(found.keys, 'hydra')
    styles |= {name: 'single_dash' for name in behind if found.options[name] == '-'}
    return {'arg_style': styles} if styles else {}


def untold(configuration: Configuration) -> Iterator[str]:
    """Where a result is looked for although the script of a command is not told where to put it, in sentences."""
    words = (*(configuration.command or ()), *configuration.env.values())
    if names_output(words, configuration.options):
        return
    for rule in map(rule_of, configuration.results):
        if rule.file:
            how = '"env WANDB_DIR={out_dir}" before it' if rule.format == 'wandb' else '--save_dir {out_dir}'
            yield (
                f'{rule.words} is looked for in the output folder of each run, which the script is not told: write '
                f'{{out_dir}} into the command, as in {how}.'
            )


# The configuration that such a search leaves


def files_of(
    command: CommandLine, cwd: Path, results: GivenResults, samplers: Mapping[str, Any], said_by: str
) -> dict[str, bytes]:
    """The files that say the same as a command: their names, and what they hold.

    Args:
        command: The command.
        cwd: As for :func:`source_of`.
        results: What the command line says of results.
        samplers: What it says of samplers, pruners and objectives, by the names of attributes.
        said_by: The whole command line.

    Raises:
        ConfigError: As for :func:`source_of`.
        OSError: A file cannot be read any more.
    """
    said = replace(results, more=(), key='', ascending=None) if 'objective' in samplers else results
    attributes = said.applied(source_of(command, cwd).attributes)
    attributes |= {name: list(value) if isinstance(value, tuple) else value for name, value in samplers.items()}
    files = {}
    if template := attributes.get('config_template'):
        name = f'{WRITTEN}{os.path.splitext(template)[1].lower()}'
        attributes['config_template'] = name
        files[name] = Path(template).read_bytes()
    text = ''.join(f'# {line}\n' for line in ('What is run by:', *said_by.split('\n'))) + yaml_text(attributes)
    return {**files, FILE_NAME: text.encode('utf-8', 'backslashreplace')}
