"""Values as texts, as they stand in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.model.units import is_ambiguous

_QUOTES = '\'"'
_BRACKETS = {'[': ']', '(': ')'}


def value_text(text: str) -> str:
    """The value part of a line in the form of the table: a list becomes ``v1,v2``, enclosing quotes are removed."""
    text = unquoted(text.strip())
    inner = _unbracketed(text)
    if inner is None:
        words = [word for part in text.split(',') for word in part.split() or ['']]
        is_list = len(words) > 1 and all(_number(word) is not None for word in words) and not _has_decimal_commas(text)
        return ','.join(words) if is_list else text
    if '[' in inner or '(' in inner:
        return text
    words = [unquoted(word.strip()) for word in (inner.split(',') if ',' in inner else inner.split())]
    return ','.join(word for word in words if word)


def _has_decimal_commas(text: str) -> bool:
    """Whether each of several words is a number with a comma (``0,95 0,93``): they are not twice as many numbers."""
    words = text.split()
    return len(words) > 1 and all(is_ambiguous(word.rstrip(',')) for word in words)


def _unbracketed(text: str) -> str | None:
    closing = _BRACKETS.get(text[:1])
    return text[1:-1].strip() if closing and len(text) > 1 and text.endswith(closing) else None


def unquoted(text: str) -> str:
    """A text without the quotes around it, if they are a pair."""
    enclosed = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]
    return text[1:-1] if enclosed and text[0] not in text[1:-1] else text


def _number(text: str) -> float | None:
    if '_' in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def text_of_result(value: Any) -> str:
    """The text of what a custom parser returned for a keyword; by convention a one-element list."""
    value = _plain(value)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = _plain(value[0])
    return unquoted(value.strip()) if isinstance(value, str) else text_of(value)


def _plain(value: Any) -> Any:
    """Arrays and scalars of numpy or torch as lists and scalars of Python, without importing either."""
    return value.tolist() if hasattr(value, 'tolist') else value


def text_of(value: Any) -> str:
    """A value as a cell of the table: a list is ``v1,v2``, and JSON where that would be ambiguous."""
    value = _plain(value)
    if value is None:
        return ''
    if isinstance(value, bool):
        return '1' if value else '0'
    if isinstance(value, (list, tuple)):
        return _text_of_list([_plain(item) for item in value])
    return json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)


def _text_of_list(items: Sequence[Any]) -> str:
    if any(isinstance(item, (list, tuple, Mapping)) or (isinstance(item, str) and ',' in item) for item in items):
        return json.dumps(items, default=str)
    return ','.join(text_of(item) for item in items)
