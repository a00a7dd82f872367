"""A configuration as the text of a Python module, with other runs: the same script, results and styles."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.config.source import SPELLINGS
from hpsearch.model.configuration import Configuration, Grid
from hpsearch.store.whole_files import write_whole

_AS_THEY_ARE = (
    *('command', 'fixed_args', 'env', 'metrics', 'summary_filename', 'summary_keywords', 'out_arg'),
    *('performance_key', 'make_out_dir', 'resumable', 'oom_patterns', 'job_prologue'),
)
"""Attributes of a configuration that have the same name and form in a module."""

_HANDLES = {'summary_parser': 'summary_parser_handle', 'performance_eval': 'performance_eval_handle'}

_ALWAYS = frozenset(('out_arg',))
"""Attributes that are written even if they are empty: None is not their default."""

WIDTH = 100
"""Characters of a line; a longer list has a line for each of its values."""


@dataclass(frozen=True)
class Handles:
    """Where the functions of a configuration are.

    Attributes:
        names: Which ones it has.
        module: Its module.
        cwd: Where relative paths of it start.
    """

    names: Collection[str] = ()
    module: str = ''
    cwd: str = ''


NO_HANDLES = Handles()


def module_text(
    configuration: Configuration,
    rows: Sequence[Grid],
    zipped: Sequence[Sequence[str]],
    comment: Sequence[str],
    template: str = '',
    handles: Handles = NO_HANDLES,
) -> str:
    """The text of a module that runs these rows as a configuration runs its own.

    Args:
        configuration: The script, how values reach it, and how results are read.
        rows: The parts of the new grid.
        zipped: Groups of options that take their values together.
        comment: Lines that say where it comes from.
        template: Name of the file with its template, beside the module; empty: it has none.
        handles: Its functions, which are loaded from where they are.
    """
    options = {option for row in rows for option in row}
    attributes = {'grid': list(rows), **({'zipped': list(zipped)} if zipped else {})}
    attributes |= dict(_attributes(configuration, options, template))
    lines = [f'# {line}' for text in comment for line in text.split('\n')]
    lines += _loading(handles) if handles.names else []
    lines += [f'{SPELLINGS[name]} = {literal(value)}' for name, value in attributes.items()]
    lines += [f'{SPELLINGS[_HANDLES[name]]} = _searched.{name}' for name in _HANDLES if name in handles.names]
    return '\n'.join([*lines, ''])


def _attributes(configuration: Configuration, options: Collection[str], template: str) -> Iterator[tuple[str, Any]]:
    """The attributes of a module that are not empty."""
    yield from ([('script_name', configuration.script)] if configuration.script else [])
    for name in _AS_THEY_ARE:
        value = getattr(configuration, name)
        if value or name in _ALWAYS:
            yield name, _plain(value)
    if configuration.results:
        yield 'result', _plain(configuration.results)
    if configuration.has_sort_order:
        yield 'performance_sort_asc', configuration.performance_ascending
    if template:
        yield from (('config_template', template), ('config_arg', configuration.config_arg))
    known = {*options, configuration.out_arg, configuration.config_arg, '*'}
    for name, style in configuration.styles.items():
        own = {each: its for each, its in style.items() if each in known} if isinstance(style, Mapping) else style
        if own:
            yield name, own


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _loading(handles: Handles) -> list[str]:
    return [
        'from pathlib import Path',
        'from hpsearch.config.loading import load_configuration',
        '',
        '# Its functions read and judge results.',
        f'_searched = load_configuration({handles.module!r}, cwd=Path({handles.cwd!r}))',
        '',
    ]


def literal(value: Any, depth: int = 0) -> str:
    """A plain value as Python writes it; what is longer than a line is broken."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if not isinstance(value, (list, tuple, dict)):
        return repr(value)
    parts = _parts_of(value, depth + 1)
    begin, end = '{}' if isinstance(value, dict) else '[]'
    line = f'{begin}{", ".join(parts)}{end}'
    if len(line) <= WIDTH and '\n' not in line:
        return line
    indent = '    ' * (depth + 1)
    return '\n'.join([begin, *(f'{indent}{part},' for part in parts), f'{"    " * depth}{end}'])


def _parts_of(value: Any, depth: int) -> list[str]:
    if isinstance(value, dict):
        return [f'{literal(name)}: {literal(each, depth)}' for name, each in value.items()]
    return [literal(each, depth) for each in value]


def template_name(configuration: Configuration, config_name: str) -> str:
    """The name of the file with the template of a configuration; empty: it has none."""
    return f'{config_name}_template.{configuration.config_format}' if configuration.config_template else ''


def write_module(folder: Path, config_name: str, text: str, configuration: Configuration) -> Path:
    """Write a module, and the template it names, into a folder; returns its path.

    Raises:
        OSError: It cannot be written.
    """
    if name := template_name(configuration, config_name):
        write_whole(folder / name, configuration.config_template)
    path = folder / f'{config_name}.py'
    write_whole(path, text)
    return path
