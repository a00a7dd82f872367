"""YAML, with the scalars of version 1.2."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.model.errors import ConfigError, one_line


@dataclass(frozen=True)
class YamlFile:
    """A file that was read, and where its parts are.

    Attributes:
        path: The file.
        content: What it holds.
        lines: Line (from 1) of each entry, by the keys that lead to it.
    """

    path: Path
    content: Any
    lines: Mapping[tuple[Any, ...], int] = field(default_factory=dict)

    def place(self, *keys: Any) -> str:
        """The file and the line of an entry, or of the closest one above it that has a line."""
        known = next((keys[:end] for end in range(len(keys), 0, -1) if keys[:end] in self.lines), None)
        return f'{self.path}, line {self.lines[known]}' if known else str(self.path)


class YamlError(ValueError):
    """A text that is no YAML, or has keys twice.

    Args:
        problems: Each with its line, from 1; None: it is in no certain one.
    """

    def __init__(self, problems: Sequence[tuple[int | None, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__('; '.join(text for _, text in problems))


def read_yaml_file(path: Path, option: str) -> YamlFile:
    """The content of a YAML file that an ``option`` names.

    Raises:
        ConfigError: It is not there or no YAML; every problem that is known has its line.
    """
    try:
        content, lines = _parsed(_decoded(path.read_bytes()))
        return YamlFile(path, content, lines)
    except FileNotFoundError:
        raise ConfigError([f'{option}: there is no file {path}.']) from None
    except YamlError as error:
        places = (f'{path}, line {line}' if line else str(path) for line, _ in error.problems)
        whats = (text for _, text in error.problems)
        raise ConfigError([f'{option}: {place}: {what}' for place, what in zip(places, whats, strict=True)]) from error
    except (OSError, ValueError) as error:
        raise ConfigError([f'{option}: {path} cannot be read: {one_line(error)}']) from error


def parse_yaml(text: str) -> Any:
    """A YAML document, read by version 1.2's rules for scalars: ``1e-3`` is a number, ``on`` and ``no`` are strings.

    Raises:
        ValueError: It is no YAML, or a mapping has a key twice.
    """
    return _parsed(text)[0]


def yaml_text(content: Mapping[str, Any]) -> str:
    """A document that :func:`parse_yaml` reads as this mapping; what is nested deeper than once is on one line."""
    return ''.join(f'{name}:{_block(value)}\n' for name, value in content.items())


def _block(value: Any) -> str:
    if not isinstance(value, Mapping) or not value:
        return f' {_flow(value)}'
    return ''.join(f'\n  {json.dumps(name)}: {_flow(each)}' for name, each in value.items())


def _flow(value: Any) -> str:
    """JSON, except for numbers that it does not have."""
    if isinstance(value, Mapping):
        return f'{{{", ".join(f"{json.dumps(name)}: {_flow(each)}" for name, each in value.items())}}}'
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(_flow, value))}]'
    if isinstance(value, float) and not math.isfinite(value):
        return '.nan' if math.isnan(value) else '.inf' if value > 0 else '-.inf'
    return json.dumps(value)


def _decoded(data: bytes) -> str:
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise YamlError([(line, f'is not UTF-8 (the byte 0x{data[error.start]:02x})')]) from error


def _parsed(text: str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """The content of a document, and the lines of its entries.

    Raises:
        YamlError: It is no YAML, or mappings have keys twice.
    """
    import yaml

    try:
        loader = _loader()(text)
        try:
            node = loader.get_single_node()
            if twice := list(_given_twice(node)):
                raise YamlError(twice)
            content = None if node is None else loader.construct_document(node)
            return content, dict(_lines(content, node))
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count('\n', 0, error.position) + 1
        raise YamlError([(line, f'has a character that YAML does not allow ({error.character:#06x})')]) from error
    except yaml.MarkedYAMLError as error:
        raise YamlError([_in_words(error)]) from error
    except RecursionError as error:
        raise YamlError([(None, 'is nested too deeply')]) from error


def _in_words(error: Any) -> tuple[int | None, str]:
    """The line of an error, and what it says on one line, with where what was being read began."""
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    what = ' '.join(str(error.problem or error.context).split())
    is_elsewhere = error.problem and error.context and begin is not None and mark.line != begin.line
    since = f' ({error.context} that begins in line {begin.line + 1})' if is_elsewhere else ''
    return mark.line + 1 if mark else None, what + since


def _nodes(root: Any) -> Iterator[Any]:
    """Every node of a document, once."""
    seen, left = set(), [root] if root is not None else []
    while left:
        node = left.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            left += reversed([part for pair in node.value for part in pair] if _is_mapping(node) else _elements(node))


def _is_mapping(node: Any) -> bool:
    return str(node.id) == 'mapping'


def _elements(node: Any) -> list[Any]:
    return list(node.value) if node.id == 'sequence' else []


def _given_twice(root: Any) -> Iterator[tuple[int, str]]:
    """The keys that a mapping has already, each with its line."""
    for node in filter(_is_mapping, _nodes(root)):
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key.value, str) else None
            if name in seen and key.tag != _MERGE:
                yield key.start_mark.line + 1, f'{name} is given twice'
            seen.add(name)
            seen.discard(None)


def _lines(content: Any, root: Any) -> Iterator[tuple[tuple[Any, ...], int]]:
    """The keys that lead to each entry, with its line; an alias has that of its key, and nothing below it."""
    seen: set[int] = set()
    left: list[tuple[tuple[Any, ...], Any, Any]] = [((), content, root)] if root is not None else []
    while left:
        path, value, node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for key, line, part, below in _entries(value, node):
            yield (*path, key), line
            left.append(((*path, key), part, below))


def _entries(value: Any, node: Any) -> Iterator[tuple[Any, int, Any, Any]]:
    """Key or index, line, value and node of what a mapping or a list has."""
    if isinstance(value, Mapping) and _is_mapping(node):
        by_text = {str(key.value): (key.start_mark.line + 1, below) for key, below in node.value}
        for key, part in value.items():
            line, below = by_text.get(key if isinstance(key, str) else str(key), (None, None))
            if line is not None:
                yield key, line, part, below
    elif isinstance(value, list) and node.id == 'sequence':
        for index, (part, below) in enumerate(zip(value, node.value, strict=False)):
            yield index, below.start_mark.line + 1, part, below


_MERGE = 'tag:yaml.org,2002:merge'


@functools.cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the base class declares it so

    for tag, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(f'tag:yaml.org,2002:{tag}', re.compile(f'^(?:{pattern})$'), first)
    return Loader


_SCALARS = (
    ('bool', 'true|True|TRUE|false|False|FALSE', list('tTfF')),
    ('int', '[-+]?(?:0|[1-9][0-9]*)', list('-+0123456789')),
    (
        'float',
        r'[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))'
        r'|\.(?:nan|NaN|NAN)',
        list('-+0123456789.'),
    ),
    ('null', '~|null|Null|NULL|', ['~', 'n', 'N', '']),
    ('merge', '<<', ['<']),
)
