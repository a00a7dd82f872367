"""Values set in a configuration file of a script: YAML, JSON or TOML, of which everything else stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from typing import Any

from hpsearch.model.configuration import Value

FORMATS = {'.yaml': 'yaml', '.yml': 'yaml', '.json': 'json', '.toml': 'toml'}
"""Endings of files to the formats that can be written."""

_WIDEST = 1 << 30
"""Columns of a line of YAML: none is broken."""

ADDS = '+'
"""How a key begins that a document need not have."""


def keys_of_document(text: str, form: str) -> list[str]:
    """Every key of a document, those that are nested with the keys above them and dots between.

    Raises:
        ValueError: It is no mapping, or not of its format.
    """
    content = _READERS[form](text)
    if not isinstance(content, Mapping):
        raise ValueError(f'it holds a {type(content).__name__}, not keys with values')
    return list(_nested(content))


def texts_of_document(text: str, form: str) -> Iterator[tuple[str | None, str]]:
    """The texts among the values of a document, with their keys as in :func:`keys_of_document`; None: it is in a list.

    Raises:
        ValueError: It is not of its format.
    """
    return _texts(_READERS[form](text), '')


def _texts(value: Any, key: str | None) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _texts(below, None if key is None else f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from _texts(below, None)
    elif isinstance(value, str):
        yield key, str(value)


def _loaded(text: str) -> Any:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from error
    return {} if content is None else content


def _toml(text: str) -> Any:
    """A TOML document as tomlkit has it, with its comments and in its form."""
    try:
        import tomlkit
    except ImportError:
        raise ValueError("TOML needs the extra toml: pip install 'hpsearch[toml]'") from None
    return tomlkit.parse(text)


_READERS: Mapping[str, Callable[[str], Any]] = {'json': json.loads, 'yaml': _loaded, 'toml': _toml}


def has_no_place(form: str, value: Value) -> str:
    """What a value has that a format knows nothing of; empty: it can be written."""
    if form != 'toml':
        return ''
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return 'None' if value is None or any(has_no_place(form, each) for each in inner) else ''


def _nested(content: Mapping[Any, Any], before: str = '') -> Iterator[str]:
    for key, value in content.items():
        yield f'{before}{key}'
        if isinstance(value, Mapping):
            yield from _nested(value, f'{before}{key}.')


def filled_document(text: str, form: str, values: Mapping[str, Value]) -> str:
    """A document with values for some of its keys, each of which a script reads as exactly that value.

    Args:
        text: The document.
        form: ``yaml``, ``json`` or ``toml``.
        values: Keys, with dots between nested ones, to values.

    Raises:
        ValueError: It is not of its format.
    """
    paths = [(key.removeprefix(ADDS).split('.'), value) for key, value in values.items()]
    if form == 'yaml':
        return _filled_yaml(text, paths)
    content = _READERS[form](text)
    for path, value in paths:
        _set(content, path, value)
    return json.dumps(content, indent=2, ensure_ascii=False) + '\n' if form == 'json' else str(content.as_string())


def _set(content: MutableMapping[str, Any], path: Sequence[str], value: Value) -> None:
    *above, last = path
    for key in above:
        if not isinstance(content.get(key), MutableMapping):
            content[key] = {}
        content = content[key]
    content[last] = value


def _filled_yaml(text: str, paths: Sequence[tuple[Sequence[str], Value]]) -> str:
    """The nodes of the document are written as they were read, so that ``yes`` stays what it is for the script."""
    import yaml

    class Representer(yaml.representer.SafeRepresenter):
        """Strings have quotes, so that no version of YAML takes one for a number."""

    Representer.add_representer(str, lambda own, text: own.represent_scalar('tag:yaml.org,2002:str', text, style='"'))
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for path, value in paths:
        root = _with_node(root, path, Representer(sort_keys=False).represent_data(value))
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True, width=_WIDEST))


def _with_node(node: Any, path: Sequence[str], value: Any) -> Any:
    """A mapping with another value; a node that aliases share with others is left as it is."""
    import yaml

    pairs = [(_own(name), _own(each)) for name, each in node.value] if isinstance(node, yaml.MappingNode) else []
    key, *below = path
    place = next((place for place, (own, _) in enumerate(pairs) if own.value == key), len(pairs))
    name = pairs[place][0] if place < len(pairs) else yaml.ScalarNode('tag:yaml.org,2002:str', key, style='"')
    if below:
        value = _with_node(_value_in(node, key), below, value)
    pairs[place : place + 1] = [(name, value)]
    is_flow = isinstance(node, yaml.MappingNode) and node.flow_style
    return yaml.MappingNode('tag:yaml.org,2002:map', pairs, flow_style=is_flow)


def _own(node: Any) -> Any:
    """A node that nothing else has; what is not a scalar may stay shared, as an alias."""
    return copy(node) if node.id == 'scalar' else node


def _value_in(node: Any, key: str) -> Any:
    """The value of a key in a mapping or in those that are merged into it; None without one."""
    pairs = node.value if isinstance(getattr(node, 'value', None), list) else []
    own = next((value for name, value in pairs if name.value == key), None)
    if own is not None:
        return own
    merged = [value for name, value in pairs if name.tag == 'tag:yaml.org,2002:merge']
    several = (each.value if each.id == 'sequence' else [each] for each in merged)
    return next((found for each in several for one in each if (found := _value_in(one, key)) is not None), None)
