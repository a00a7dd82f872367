"""Arguments in each style: what a script's parser reads is the value of the grid."""

from __future__ import annotations

import argparse
import ast
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.style import (
    TEMPLATES,
    ArgumentStyle,
    doubt_about,
    nones_note,
    style_of,
    template_problem,
    words_of,
)

TEXTS = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])).filter(
    lambda text: text != '--' and not (len(text) > 1 and text[0] == text[-1] and text[0] in '\'"')
)
"""What a command line can hold, without quotes that the rule about quotes takes away."""

NUMBERS = st.integers() | st.floats(allow_nan=False)


def parsed(words: Sequence[str], **action: Any) -> Any:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument('--seed')
    parser.add_argument('--the_name', '-the_name', **action)
    return parser.parse_args(list(words)).the_name


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (True, '--x'),
        (False, None),
        (None, '--x=None'),
        (1, '--x=1'),
        (1.0, '--x=1.0'),
        (-1, '--x=-1'),
        (1e-08, '--x=1e-08'),
        (3.1622776601683795e-05, '--x=3.1622776601683795e-05'),
        (float('nan'), '--x=nan'),
        ('200,200', '--x=200,200'),
        ('', '--x='),
        ('""', '--x='),
        ('"-1"', '--x=-1'),
        ('"400,400"', '--x=400,400'),
        ("'a b'", '--x=a b'),
        ('"\'a\'"', "--x='a'"),
        ('""a""', '--x="a"'),
        ('"', '--x="'),
        ('"a', '--x="a'),
        ('"a\'', '--x="a\''),
        ('$HOME `ls` *', '--x=$HOME `ls` *'),
        (np.float64(1e-08), '--x=1e-08'),
        (np.float32(0.1), '--x=0.1'),
        (np.int64(-3), '--x=-3'),
        (np.bool_(True), '--x'),
        (np.bool_(False), None),
        (np.str_('"a"'), '--x=a'),
    ],
)
def test_that_a_value_becomes_the_word_of_the_original(value: Any, expected: str | None) -> None:
    assert words_of('x', value) == (() if expected is None else (expected,))


@pytest.mark.parametrize(
    'style, value, words',
    [
        ({}, 0.1, ['--the_name=0.1']),
        ({}, '"a b"', ['--the_name=a b']),
        ({}, True, ['--the_name']),
        ({}, False, []),
        ({}, None, ['--the_name=None']),
        ({}, [10, 20], ['--the_name', '10', '20']),
        ({}, [], ['--the_name']),
        ({}, {'a': [1, None]}, ['--the_name={"a": [1, null]}']),
        ({'arg_style': 'space'}, 0.1, ['--the_name', '0.1']),
        ({'arg_style': 'space'}, '-a', ['--the_name=-a']),
        ({'arg_style': 'space'}, -1, ['--the_name', '-1']),
        ({'arg_style': 'single_dash'}, 1, ['-the_name', '1']),
        ({'arg_style': 'single_dash'}, True, ['-the_name']),
        ({'arg_style': 'single_dash'}, -1e-5, ['-the_name', '-0.00001']),
        ({'arg_style': 'hydra'}, True, ['the_name=true']),
        ({'arg_style': 'hydra'}, [1, 'a b'], ["the_name=[1,'a b']"]),
        ({'arg_style': 'hydra'}, None, ['the_name=null']),
        ({'arg_style': 'hydra'}, '"1"', ["the_name='1'"]),
        ({'arg_style': '+{name}={value}'}, True, ['+the_name=True']),
        ({'arg_style': '--param {name}={value}'}, 'a b', ['--param', 'the_name=a b']),
        ({'arg_style': '"--{name} is" {value}'}, 1, ['--the_name is', '1']),
        ({'arg_style': '{value}'}, 'fit', ['fit']),
        ({'arg_style': '{value}'}, [1, True], ['1', 'True']),
        ({'bool_style': 'flag_no'}, True, ['--the_name']),
        ({'bool_style': 'flag_no'}, False, ['--no-the_name']),
        ({'bool_style': 'value'}, False, ['--the_name=False']),
        ({'bool_style': 'value', 'arg_style': 'space'}, True, ['--the_name', 'True']),
        ({'name_style': 'dashes'}, 1, ['--the-name=1']),
        ({'name_style': 'dashes', 'bool_style': 'flag_no'}, False, ['--no-the-name']),
        ({'list_style': 'comma'}, [1, 2], ['--the_name=1,2']),
        ({'list_style': 'repeat'}, [1, 2], ['--the_name=1', '--the_name=2']),
        ({'list_style': 'repeat'}, [[1, 2], 3], ['--the_name', '1', '2', '--the_name=3']),
        ({'list_style': 'python'}, [1, 'a'], ["--the_name=[1, 'a']"]),
        ({'none_style': 'omit'}, None, []),
    ],
)
def test_that_a_value_has_these_words(style: dict[str, str], value: Any, words: list[str]) -> None:
    assert words_of('the_name', value, ArgumentStyle(**style)) == tuple(words)


def test_that_none_is_told_where_no_style_says_what_it_is() -> None:
    columns: dict[str, list[Any]] = {'lr': [0.1, None], 'seed': [1], 'decay': [None]}
    assert nones_note(columns, {}).startswith('lr, decay: None reaches the script as the word None; _NONE_STYLE = ')
    assert nones_note(columns, {'none_style': {'decay': 'text'}}).startswith('lr: None reaches')
    assert nones_note(columns, {'none_style': 'text'}) == nones_note({'seed': [1]}, {}) == ''


def test_that_a_style_may_be_of_one_option_only() -> None:
    styles = {'arg_style': {'lr': 'space', '*': 'single_dash'}, 'bool_style': {'fast': 'value'}}
    assert style_of('lr', styles) == ArgumentStyle('space')
    assert style_of('fast', styles) == ArgumentStyle('single_dash', 'value')
    assert style_of('lr', {'arg_style': 'hydra'}) == ArgumentStyle('hydra')


@given(TEXTS, st.sampled_from(['equals', 'space']))
def test_that_argparse_reads_the_text(text: str, arg_style: str) -> None:
    assert parsed(words_of('the_name', text, ArgumentStyle(arg_style))) == text


@given(NUMBERS, st.sampled_from(['equals', 'space']))
def test_that_argparse_reads_the_number(number: float, arg_style: str) -> None:
    assert parsed(words_of('the_name', number, ArgumentStyle(arg_style)), type=type(number)) == number


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(['equals', 'space', 'single_dash']))
def test_that_argparse_reads_the_list(numbers: list[float], arg_style: str) -> None:
    assert parsed(words_of('the_name', numbers, ArgumentStyle(arg_style)), nargs='*', type=float) == numbers


@given(st.lists(TEXTS, min_size=1), st.sampled_from(['equals', 'space']))
def test_that_argparse_reads_what_is_repeated(texts: list[str], arg_style: str) -> None:
    words = words_of('the_name', texts, ArgumentStyle(arg_style, list_style='repeat'))
    assert parsed(words, action='append') == texts


@given(st.booleans())
def test_that_argparse_reads_the_flag(value: bool) -> None:
    words = words_of('the_name', value, ArgumentStyle(bool_style='flag_no', name_style='dashes'))
    parser = argparse.ArgumentParser()
    parser.add_argument('--the-name', action=argparse.BooleanOptionalAction, default=not value)
    assert parser.parse_args(words).the_name is value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(VALUES, max_size=3))
def test_that_python_reads_the_list(values: list[Any]) -> None:
    (word,) = words_of('a', values, ArgumentStyle(list_style='python'))
    assert ast.literal_eval(word.removeprefix('--a=')) == values


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_that_json_has_the_dict(values: dict[str, Any]) -> None:
    (word,) = words_of('a', values)
    assert json.loads(word.removeprefix('--a=')) == values


@given(VALUES | st.just(math.nan), st.sampled_from(list(TEMPLATES)), st.sampled_from(['words', 'comma', 'repeat']))
def test_that_every_value_has_words_in_every_style(value: Any, arg_style: str, list_style: str) -> None:
    style = ArgumentStyle(arg_style, list_style=list_style)
    words = words_of('a', value, style)
    assert all(isinstance(word, str) and '\0' not in word for word in words)
    assert isinstance(doubt_about('a', value, style), str)


@pytest.mark.parametrize(
    'template, problem',
    [
        ('--{name}:{value}', ''),
        ('-o "{name} = {value}"', ''),
        ('equal', 'none of the styles'),
        ('--{nmae}={value}', r'{nmae}; {name} and'),
        ('{value}', ''),
        ('--{name}={name}', '{value} is expected once'),
        ('"--{name} {value}', 'split into words'),
    ],
)
def test_that_a_template_has_a_name_and_a_value(template: str, problem: str) -> None:
    assert problem in template_problem(template) and bool(problem) == bool(template_problem(template))


@pytest.mark.parametrize(
    'value, style, doubt',
    [
        (['a,b', 'c'], {'list_style': 'comma'}, 'has commas in its values'),
        (['-a', 'c'], {}, "'-a' stands as a word of its own"),
        ('-a', {'arg_style': 'single_dash'}, "'-a' stands as a word of its own"),
        ('-a', {'arg_style': 'space'}, ''),
        ([-1, -1e-5], {}, ''),
        ([-1, -1e-5], {'list_style': 'repeat'}, ''),
        (['-a'], {'list_style': 'repeat'}, ''),
    ],
)
def test_that_words_which_a_parser_may_misread_are_doubted(value: Any, style: dict[str, str], doubt: str) -> None:
    said = doubt_about('opt', value, ArgumentStyle(**style))
    assert doubt in said and bool(said) == bool(doubt)


# The parsers of other libraries


ARG_STYLES = st.sampled_from(['equals', 'space'])


@given(TEXTS, st.booleans(), st.lists(TEXTS), ARG_STYLES)
def test_that_click_reads_the_values(text: str, flag: bool, texts: list[str], arg_style: str) -> None:
    click = pytest.importorskip('click')
    options = [
        click.Option(['--the-text'], type=str),
        click.Option(['--the-flag/--no-the-flag'], default=not flag),
        click.Option(['--the-list'], type=str, multiple=True),
    ]
    style = ArgumentStyle(arg_style, 'flag_no', 'dashes', 'repeat')
    values = {'the_text': text, 'the_flag': flag, 'the_list': texts}
    words = [word for option, value in values.items() for word in words_of(option, value, style)]
    found = click.Command('train', params=options).make_context('train', words).params
    assert {**found, 'the_list': list(found['the_list'])} == values


@given(TEXTS, st.booleans(), st.lists(st.integers(), min_size=1), NUMBERS, ARG_STYLES)
def test_that_absl_reads_the_values(text: str, flag: bool, numbers: list[int], number: float, arg_style: str) -> None:
    flags = pytest.importorskip('absl.flags')
    own = flags.FlagValues()
    flags.DEFINE_string('the_text', None, '', flag_values=own)
    flags.DEFINE_boolean('the_flag', not flag, '', flag_values=own)
    flags.DEFINE_multi_integer('the_list', None, '', flag_values=own)
    flags.DEFINE_float('the_number', None, '', flag_values=own)
    styles: dict[str, str | dict[str, str]] = {
        'arg_style': {'the_flag': 'equals', '*': arg_style},
        'bool_style': 'value',
        'list_style': 'repeat',
    }
    values = {'the_text': text, 'the_flag': flag, 'the_list': numbers, 'the_number': number}
    words = [word for option, value in values.items() for word in words_of(option, value, style_of(option, styles))]
    assert own(['train', *words]) == ['train']
    assert (own.the_text, own.the_flag, own.the_list) == (text, flag, numbers) and own.the_number == float(number)


@given(st.lists(VALUES, max_size=3), st.floats(allow_nan=False, allow_infinity=False))
def test_that_fire_reads_the_values(values: list[Any], number: float) -> None:
    fire = pytest.importorskip('fire')
    styles = {'bool_style': 'value', 'list_style': 'python'}
    options = {'values': values, 'number': number, 'flag': True}
    words = [word for option, value in options.items() for word in words_of(option, value, style_of(option, styles))]
    assert fire.Fire(lambda values, number, flag: [values, number, flag], command=words) == [values, number, True]
