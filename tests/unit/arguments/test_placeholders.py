"""Placeholders in texts: what is one, and what stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.placeholders import filled, literal, placeholders_in

VALUES = {'lr': '0.1', 'optimizer.lr': '{seed}', 'seed': '3'}


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('--lr={lr}', '--lr=0.1'),
        ('{lr}{seed}', '0.13'),
        ('{optimizer.lr}', '{seed}'),
        ('{{lr}}', '{lr}'),
        ('{{{lr}}}', '{{lr}}'),
        ('{"lr": {lr}, "in": {"a": 1}}', '{"lr": 0.1, "in": {"a": 1}}'),
        ('{print $1}', '{print $1}'),
        ('BEGIN {{ x }}', 'BEGIN {{ x }}'),
        ('a{1,2}b{}', 'a{1,2}b{}'),
        ('{other}', '{other}'),
        ('echo ${lr} $${lr} ${{lr}}', 'echo ${lr} $${lr} ${{lr}}'),
        ('$ {lr}', '$ 0.1'),
    ],
)
def test_that_a_text_is_filled(text: str, expected: str) -> None:
    assert filled(text, VALUES) == expected


@given(st.text(st.sampled_from('{}lr.a _$')))
def test_that_a_literal_text_is_itself_again(text: str) -> None:
    assert not placeholders_in(literal(text)) and filled(literal(text), VALUES) == text


def texts_of(value: object) -> Iterator[str]:
    """Every text in a document, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *texts_of(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


@given(st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_that_json_has_no_placeholders_but_in_its_texts(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    texts = list(texts_of(value))
    assert all(any(f'{{{found}}}' in each for each in texts) for found in placeholders_in(text))
