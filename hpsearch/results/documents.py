"""Documents: JSON, YAML and TOML."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from itertools import chain
from typing import Any

from hpsearch.results.files import LARGEST_SUMMARY
from hpsearch.results.text import text_of

LARGEST_YAML = 2**20
"""Bytes; YAML takes some seconds per MiB to read."""


def read_json(text: str) -> Mapping[Any, Any]:
    """A JSON object.

    Raises:
        ValueError: It is none.
    """
    return _mapping(json.loads(text))


def read_toml(text: str) -> Mapping[str, Any]:
    """A TOML document.

    Raises:
        ValueError: It is none, or this Python (3.10) has no reader and the extra ``toml`` is not installed.
    """
    document: Mapping[str, Any]
    try:
        if find_spec('tomllib'):
            document = importlib.import_module('tomllib').loads(text)
        else:
            document = importlib.import_module('tomlkit').parse(text).unwrap()
    except ImportError:
        raise ValueError("TOML needs the extra toml here: pip install 'hpsearch[toml]'") from None
    return document


def read_yaml(text: str) -> Mapping[Any, Any]:
    """A YAML mapping.

    Raises:
        ValueError, yaml.YAMLError: It is none.
    """
    import yaml

    if len(text) > LARGEST_YAML:
        raise ValueError(f'it is larger than {LARGEST_YAML // 2**20} MiB, which is too much for YAML')
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        # Aliases of aliases are small as long as they are not written out.
        if expanded_size(node, _parts_of_node) > LARGEST_SUMMARY:
            raise ValueError(f'its aliases make it larger than {LARGEST_SUMMARY // 2**20} MiB')
        return _mapping(None if node is None else loader.construct_document(node))
    finally:
        loader.dispose()


def _parts_of_node(node: Any) -> Iterable[Any]:
    """What a node of YAML consists of: other nodes, or a text."""
    value = getattr(node, 'value', ())
    if isinstance(value, str):
        return (value,)
    return chain(*value) if value and isinstance(value[0], tuple) else value


def expanded_size(root: Any, parts_of: Callable[[Any], Iterable[Any]]) -> float:
    """How large something is if everything is written out each time it occurs; infinite if it contains itself.

    Args:
        root: The whole; texts count by their length, everything else as one.
        parts_of: What something consists of.
    """
    sizes: dict[int, float] = {}

    def size(value: Any) -> float:
        if id(value) not in sizes:
            sizes[id(value)] = math.inf  # while it is open
            is_text = isinstance(value, (str, bytes))
            sizes[id(value)] = len(value) if is_text else 1 + sum(map(size, parts_of(value)))
        return sizes[id(value)]

    return size(root)


def keywords_of(document: Mapping[Any, Any]) -> dict[str, str]:
    """The keywords of a document with their texts; what is nested is one text."""
    return {str(keyword): text_of(value) for keyword, value in document.items()}


def _mapping(document: object) -> Mapping[Any, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f'it holds a {type(document).__name__}, not keywords with values')
    return document
