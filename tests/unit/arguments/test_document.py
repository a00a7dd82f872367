"""Values in configuration files: what a script reads is what the grid has, and the rest is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.document import filled_document, keys_of_document
from hpsearch.config.yaml_file import parse_yaml

YAML = """\
# a comment
base: &base {lr: 0.1, deep: {a: 1}}
on: yes
tiny: 1e-3
octal: 010
list: [1, 2]
none:
same: *base
merged:
  <<: *base
  lr: 3
"""

TEXTS = st.text(st.characters(exclude_categories=['Cs', 'Cc'], exclude_characters='\ufeff\ufffe\uffff\x85\u2028\u2029'))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ODD = ['yes', 'null', '1e-05', '1e5', '0x1', '~', '', ' a', 'a: b', '# no', '{lr}', 'é\n', '2026-11-26', '010', "it's"]


def same(found: Any, wanted: Any) -> bool:
    """Whether values are equal and of the same types."""
    return repr(found) == repr(wanted)


@pytest.mark.parametrize('form', ['yaml', 'json'])
@given(value=VALUES)
def test_that_a_value_is_read_as_it_is_in_the_grid(form: str, value: Any) -> None:
    text = filled_document('{"a": {"b": 1}, "c": 2}', form, {'a.b': value})
    wanted = {'a': {'b': value}, 'c': 2}
    readers = [json.loads] if form == 'json' else [yaml.safe_load, parse_yaml]
    assert all(same(read(text), wanted) for read in readers), text


@pytest.mark.parametrize('read', [yaml.safe_load, parse_yaml])
def test_that_no_version_of_yaml_takes_a_string_for_something_else(read: Callable[[str], Any]) -> None:
    values = {f'+values.{place}': text for place, text in enumerate(ODD)}
    added = {f'+keys.{text}': 1 for text in ODD if '.' not in text}
    text = filled_document('{}', 'yaml', {**values, **added, 'list': ODD})
    found = read(text)
    assert (list(found['values'].values()), found['list']) == (ODD, ODD)
    assert list(found['keys']) == [text for text in ODD if '.' not in text]


def test_that_everything_else_means_to_a_script_what_it_meant() -> None:
    text = filled_document(YAML, 'yaml', {'base.lr': 7})
    for read in (yaml.safe_load, parse_yaml):
        assert read(text) == {**read(YAML), 'base': {'lr': 7, 'deep': {'a': 1}}}


def test_that_a_value_of_a_part_that_others_share_is_set_in_one_place() -> None:
    found = yaml.safe_load(filled_document(YAML, 'yaml', {'same.lr': 7, 'merged.deep.a': 8, 'merged.lr': None}))
    assert found['base'] == {'lr': 0.1, 'deep': {'a': 1}}
    assert '*' not in filled_document('a: &a {b: 1}\nc: *a', 'yaml', {'c.b': 2})
    assert (found['same'], found['merged']) == ({'lr': 7, 'deep': {'a': 1}}, {'lr': None, 'deep': {'a': 8}})


@pytest.mark.parametrize('form', ['yaml', 'json'])
def test_that_new_keys_can_be_added(form: str) -> None:
    text = filled_document('{"none": null}', form, {'+new.deep.key': 1e-05, '+none.a': True})
    read = json.loads if form == 'json' else yaml.safe_load
    assert read(text) == {'none': {'a': True}, 'new': {'deep': {'key': 1e-05}}}


TOML = """\
# about the optimizer
[optimizer]
lr = 0.1   # the rate
inline = {a = 1}

[[steps]]
n = 1
"""

WITHOUT_NONE = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def in_order(value: Any) -> Any:
    """A value with the keys of its tables sorted: TOML writes tables last."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


@given(value=WITHOUT_NONE)
def test_that_a_value_in_toml_is_read_as_it_is_in_the_grid(value: Any) -> None:
    tomlkit = pytest.importorskip('tomlkit')
    text = filled_document(TOML, 'toml', {'optimizer.lr': value, '+new.deep': value, 'optimizer.inline.a': 7})
    found = tomlkit.parse(text).unwrap()
    wanted = {'optimizer': {'lr': value, 'inline': {'a': 7}}, 'new': {'deep': value}, 'steps': [{'n': 1}]}
    assert same(in_order(found), in_order(wanted))
    assert text.startswith('# about the optimizer\n')


def test_that_the_keys_of_a_document_are_told_with_those_above_them() -> None:
    keys = keys_of_document(YAML, 'yaml')
    assert {'base', 'base.deep.a', 'merged.deep.a', 'same.lr', 'none'} <= set(keys)


@pytest.mark.parametrize(('text', 'form'), [('- 1', 'yaml'), ('[1]', 'json'), ('{', 'json'), ('a: [', 'yaml')])
def test_that_what_is_no_document_is_refused(text: str, form: str) -> None:
    with pytest.raises(ValueError):
        keys_of_document(text, form)
