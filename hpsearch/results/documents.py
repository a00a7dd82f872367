"""Documents: JSON and YAML."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from hpsearch.results.files import LARGEST_SUMMARY
from hpsearch.results.text import text_of

LARGEST_YAML = 2**20
"""Bytes; YAML takes some seconds per MiB to read."""


def read_json(text: str) -> dict[str, str]:
    """The keywords of a JSON object.

    Raises:
        ValueError: It is none.
    """
    return _of_mapping(json.loads(text))


def read_yaml(text: str) -> dict[str, str]:
    """The keywords of a YAML mapping.

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
        return _of_mapping(None if node is None else loader.construct_document(node))
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


def _of_mapping(document: object) -> dict[str, str]:
    if not isinstance(document, Mapping):
        raise ValueError(f'it holds a {type(document).__name__}, not keywords with values')
    return {str(keyword): text_of(value) for keyword, value in document.items()}
