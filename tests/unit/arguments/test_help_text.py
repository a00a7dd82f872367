"""Help texts as real parsers print them, and the values that they show to be of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.help_text import ShownOption, doubts_by_help, may_have_help, shown_options
from hpsearch.arguments.style import ArgumentStyle
from tests.support.paths import DATA

TEXTS = {path.stem: path.read_text() for path in sorted((DATA / 'help').glob('*.txt'))}
"""By parser and version; each script has much the same options."""

ALL = pytest.mark.parametrize('parser', TEXTS)


def doubts(parser: str, option: str, values: Sequence[Any], **style: str) -> list[str]:
    """What is said of the values of an option."""
    return doubts_by_help(TEXTS[parser], {option: values}, lambda _: ArgumentStyle(**style))


def test_that_the_texts_are_those_of_several_parsers() -> None:
    assert {name.partition('-')[0] for name in TEXTS} == {'absl', 'argparse', 'click', 'typer', 'tyro'}


@ALL
def test_that_false_for_an_option_with_a_negation_is_doubted_where_no_word_is_written(parser: str) -> None:
    (sentence,) = doubts(parser, 'augment', [True, False])
    assert sentence.startswith('augment: False gives no word, but its --help shows --augment and --no')
    is_absl = parser.startswith('absl')
    right, wrong = ('value', 'flag_no') if is_absl else ('flag_no', 'value')
    assert sentence.endswith(f"the default of the script holds, which may be True (_BOOL_STYLE = '{right}').")
    assert not doubts(parser, 'augment', [True])
    assert not doubts(parser, 'augment', [True, False], bool_style=right)
    assert doubts(parser, 'augment', [True, False], bool_style=wrong)


@pytest.mark.parametrize('parser', [name for name in TEXTS if not name.startswith('absl')])
def test_that_a_value_for_a_flag_is_doubted(parser: str) -> None:
    both = doubts(parser, 'augment', [True, False], bool_style='value')
    assert [sentence.split(',')[0] for sentence in both] == [
        'augment: True gives --augment=True',
        'augment: False gives --augment=False',
    ]
    assert all("no value is expected (_BOOL_STYLE = 'flag_no'" in sentence for sentence in both)


@ALL
def test_that_none_for_an_option_with_a_value_is_doubted(parser: str) -> None:
    said = doubts(parser, 'dropout', [0.1, None])
    if parser.startswith('tyro'):
        assert said == [], 'it reads the word None'
        return
    (sentence,) = said
    assert sentence.startswith('dropout: None gives --dropout=None, but its --help shows --dropout ')
    assert sentence.endswith("the script gets the word None (_NONE_STYLE = 'omit' leaves the option out).")
    assert not doubts(parser, 'dropout', [0.1, None], none_style='omit')


@ALL
def test_that_true_for_an_option_with_a_value_is_doubted(parser: str) -> None:
    (sentence,) = doubts(parser, 'seed', [1, True])
    assert sentence.startswith('seed: True gives --seed, but its --help shows --seed ')
    assert sentence.endswith("a value is expected (_BOOL_STYLE = 'value').")


@pytest.mark.parametrize('parser', [name for name in TEXTS if not name.startswith(('absl', 'tyro'))])
def test_that_true_and_false_for_a_plain_flag_are_not_doubted(parser: str) -> None:
    assert not doubts(parser, 'batchnorm', [True, False])
    (false,) = doubts(parser, 'batchnorm', [True, False], bool_style='flag_no')
    assert false.startswith('batchnorm: False gives --no-batchnorm, but its --help shows --batchnorm: there is no such')
    (none,) = doubts(parser, 'batchnorm', [None])
    assert 'None gives --batchnorm=None' in none
    assert len(doubts(parser, 'batchnorm', [True, False], bool_style='value')) == 2


@ALL
def test_that_a_list_of_choices_is_read(parser: str) -> None:
    assert list(shown_options(TEXTS[parser])['--optimizer'].choices) == ['adam', 'sgd']
    (sentence,) = doubts(parser, 'optimizer', [True], bool_style='value')
    assert sentence.endswith('True is not among the values.')


@pytest.mark.parametrize('parser', ['argparse-3.10', 'argparse-3.13', 'click-8.5'])
def test_that_a_value_that_a_parser_reads_as_a_bool_is_not_doubted(parser: str) -> None:
    assert not doubts(parser, 'pretrained', [True, False], bool_style='value')


@ALL
def test_that_values_of_other_kinds_and_options_that_are_not_shown_are_not_doubted(parser: str) -> None:
    assert not doubts(parser, 'seed', [1, 'x', 2.5, '', [1, 2]])
    assert not doubts(parser, 'nowhere', [True, False, None])


@pytest.mark.parametrize('arg_style', ['hydra', 'single_dash', '{value}'])
def test_that_nothing_is_said_of_other_ways_to_write_options(arg_style: str) -> None:
    for parser in TEXTS:
        assert not doubts(parser, 'augment', [None], arg_style=arg_style)


def test_that_dashes_in_names_are_taken_into_account() -> None:
    assert doubts('typer-0.9', 'out_dir', [None], name_style='dashes')
    assert not doubts('typer-0.9', 'out_dir', [None])


@pytest.mark.parametrize('parser', ['argparse-3.10', 'argparse-3.13'])
def test_that_every_option_of_argparse_is_found(parser: str) -> None:
    shown = shown_options(TEXTS[parser])
    assert shown['--augment'] == ShownOption('--augment', '', '--no-augment')
    assert shown['--optimizer'].metavar.startswith('{adam,sgd}')
    assert shown['-o'].metavar == shown['--optimizer'].metavar
    assert shown['--dropout'].metavar.startswith('DROPOUT')
    assert shown['--path'].metavar == 'folder/file'
    assert shown['--no-bias'] == ShownOption('--no-bias')
    assert shown['--a_very_long_name_of_an_option'].metavar == 'A_VERY_LONG_NAME_OF_AN_OPTION'
    assert shown['--verbose'].metavar == ''
    assert '--nothing' not in shown
    assert not doubts(parser, 'opt', [True, False]), 'its value may be left out'


def test_that_a_description_that_goes_on_with_an_option_is_not_taken_for_one() -> None:
    text = """options:
  -h, --help  show this
  --a A       as long as
              --b B is given
  --b         a flag
"""
    assert shown_options(text)['--b'].metavar == ''
    assert shown_options(text)['--a'].metavar == 'A'


def test_that_colours_are_left_out() -> None:
    assert shown_options('  \x1b[1;34m--lr\x1b[0m \x1b[33mLR\x1b[0m  rate\n')['--lr'].metavar == 'LR'


@pytest.mark.parametrize('text', ['', 'training...\nepoch 1\n', 'Error: no such option: --help\n', '---\n--\n-\n'])
def test_that_nothing_is_said_where_there_is_no_help(text: str) -> None:
    assert not doubts_by_help(text, {'augment': [True, False, None]}, lambda _: ArgumentStyle())


@given(st.text(st.sampled_from(' -=|/<>[]{}\n\t*,:no─│aAB1'), max_size=80), st.sampled_from([True, False, None]))
def test_that_any_text_can_be_read(text: str, value: Any) -> None:
    doubts_by_help(text, {'a': [value], 'n': [value]}, lambda _: ArgumentStyle())


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('import argparse\n', True),
        ('import click\n', True),
        ('from absl import app\n', True),
        ('from options import parse_args\n', True),
        ('options = parser.parse()\n', True),
        ('import sys\nlr = float(sys.argv[1])\n', False),
        ('print("sparse")\n', False),
    ],
)
def test_that_only_a_script_that_may_know_help_is_asked_for_it(source: str, expected: bool) -> None:
    assert may_have_help(source) is expected
