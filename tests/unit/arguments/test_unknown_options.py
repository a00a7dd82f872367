"""Options that help texts, as real parsers print them, do not show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.style import ArgumentStyle
from hpsearch.arguments.unknown_options import (
    asking_words,
    has_name,
    may_take_others,
    mistyped_in_command,
    unknown_in_hydra,
    unknown_options,
)
from tests.unit.arguments.test_help_text import TEXTS

ALL = pytest.mark.parametrize('parser', TEXTS)
DASHED = pytest.mark.parametrize('parser', [name for name in TEXTS if name.startswith('typer')])
STRICT = pytest.mark.parametrize('parser', [name for name in TEXTS if not name.startswith(('absl', 'tyro'))])


def unknown(text: str, option: str, *values: Any, **style: str) -> list[str]:
    """What is said of an option."""
    return unknown_options(text, {option: (values or [1], ArgumentStyle(**style))})


@ALL
def test_that_a_misspelled_option_is_told_with_the_one_that_is_meant(parser: str) -> None:
    (sentence,) = unknown(TEXTS[parser], 'sede')
    assert sentence == 'sede: the --help of the script shows no --sede; did you mean --seed?'
    (sentence,) = unknown(TEXTS[parser], 'optimiser', 'adam', arg_style='space')
    assert sentence.endswith('shows no --optimiser; did you mean --optimizer?')


@ALL
def test_that_options_that_are_shown_are_not_doubted(parser: str) -> None:
    for option in ('seed', 'dropout', 'optimizer'):
        assert not unknown(TEXTS[parser], option)
    assert not unknown(TEXTS[parser], 'augment', True, False, bool_style='flag_no')
    assert not unknown(TEXTS[parser], 'augment', False, bool_style='flag_no'), 'its values are doubted elsewhere'
    assert not unknown(TEXTS[parser], 'seed.of.its', 1), 'it may be an object'


def test_that_an_option_that_only_switches_something_off_is_known_by_that() -> None:
    assert not unknown(TEXTS['argparse-3.13'], 'bias', False, bool_style='flag_no')
    assert unknown(TEXTS['argparse-3.13'], 'bias', True, bool_style='flag')


@ALL
def test_that_a_name_that_argparse_would_complete_is_not_doubted(parser: str) -> None:
    assert not unknown(TEXTS[parser], 'optim')


@STRICT
def test_that_an_option_like_no_other_is_told(parser: str) -> None:
    assert unknown(TEXTS[parser], 'xyz') == ['xyz: the --help of the script shows no --xyz.']


def test_that_the_option_of_the_output_folder_is_told_by_its_attribute() -> None:
    said = unknown_options(TEXTS['click-8.5'], {'outdir': (['.'], ArgumentStyle())}, 'outdir')
    assert said == ["_OUT_ARG = 'outdir': the --help of the script shows no --outdir; did you mean --out_dir?"]


def test_that_absl_which_shows_the_options_of_one_module_is_doubted_only_with_a_similar_name() -> None:
    assert not unknown(TEXTS['absl-2.5'], 'xyz')
    assert unknown(TEXTS['absl-2.5'], 'droput')


@DASHED
def test_that_dashes_and_underscores_are_told_with_the_style(parser: str) -> None:
    (sentence,) = unknown(TEXTS[parser], 'out_dir', 'x')
    assert sentence.endswith("shows no --out_dir; did you mean --out-dir? (_NAME_STYLE = 'dashes')")
    assert not unknown(TEXTS[parser], 'out_dir', 'x', name_style='dashes')


def test_that_underscores_that_became_dashes_are_told() -> None:
    (sentence,) = unknown(TEXTS['click-8.5'], 'out_dir', 'x', name_style='dashes')
    assert sentence.endswith("shows no --out-dir; did you mean --out_dir? (_NAME_STYLE = 'as_is')")


def test_that_tyro_takes_both() -> None:
    assert not unknown(TEXTS['tyro-1.0'], 'out_dir', 'x')
    assert not unknown(TEXTS['tyro-1.0'], 'out_dir', 'x', name_style='dashes')


def test_that_single_dashes_are_told_with_the_style() -> None:
    text = 'options:\n  -h, --help  show this\n  -lr LR\n  --depth DEPTH\n'
    (sentence,) = unknown(text, 'lr')
    assert sentence.endswith("shows no --lr; did you mean -lr? (_ARG_STYLE = 'single_dash')")
    (sentence,) = unknown(text, 'depth', arg_style='single_dash')
    assert sentence.endswith("shows no -depth; did you mean --depth? (_ARG_STYLE = 'space')")
    assert not unknown(text, 'lr', arg_style='single_dash')


@pytest.mark.parametrize('arg_style', ['hydra', '{value}', '--param {name}={value}'])
def test_that_options_whose_names_have_no_dashes_are_not_doubted(arg_style: str) -> None:
    assert not has_name(ArgumentStyle(arg_style))
    assert not any(unknown(text, 'xyz', arg_style=arg_style) for text in TEXTS.values())


@pytest.mark.parametrize(
    ('option', 'meant'),
    [
        ('optimizer.lrr', 'optimizer.lr'),
        ('labl', 'label'),
        *((known, '') for known in ('optimizer.lr', 'optimizer', 'label')),
        *((other, '') for other in ('+labl', '~labl', 'labl@a', 'group/labl', 'model', 'hydra.labl')),
    ],
)
def test_that_a_name_that_hydra_does_not_have_is_told_with_the_one_that_is_meant(option: str, meant: str) -> None:
    said = unknown_in_hydra({'optimizer.lr', 'label', 'hydra_label'}, [option])
    sentence = f'{option}: the configuration of the script has no {option}; did you mean {meant}?'
    assert said == ([sentence] if meant else [])


@pytest.mark.parametrize('text', ['', 'training...\n--lr: 3\n', 'Error: no such option: --help\n'])
def test_that_nothing_is_said_where_there_is_no_help(text: str) -> None:
    assert not unknown(text, 'lrr')


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('args, rest = parser.parse_known_args()', True),
        ("@click.command(context_settings={'ignore_unknown_options': True})", True),
        ('args = parser.parse_args(sys.argv[1:])', False),
    ],
)
def test_that_scripts_that_take_other_options_are_known(source: str, expected: bool) -> None:
    assert may_take_others(source) is expected


@given(st.text(st.sampled_from(' -=|/<>[]{}\n\t*,:no─│aAB1help'), max_size=80), st.sampled_from([True, False, None, 1]))
def test_that_any_text_can_be_read(text: str, value: Any) -> None:
    unknown(text + '\n --help', 'a', value)


HELP = 'options:\n  -h, --help            show this help message and exit\n  --learning-rate X\n  --epochs N\n'


def test_that_a_mistyped_option_of_a_command_is_named_with_the_one_that_is_meant() -> None:
    words = ['python', 'main.py', '--epoch', '5', '--learning_rat={learning_rat}', '--elsewhere', '1']
    assert mistyped_in_command(HELP, words) == [
        'the --help of the script shows no --learning_rat; did you mean --learning-rate?'
    ]  # --epoch is an abbreviation; what is like no option may be one of a sub-command
    assert mistyped_in_command(HELP, ['python', 'main.py', '--learning_rat=1']) == []


def test_that_help_is_asked_for_without_words_that_have_no_value_yet() -> None:
    assert asking_words(['python', 'main.py', 'train', '--lr', '{lr}', '-v']) == ['python', 'main.py', 'train']
    assert asking_words(['python', 'main.py', 'train', '{depth}', '-v']) == ['python', 'main.py', 'train']
    assert asking_words(['python', 'main.py', '--quick']) == ['python', 'main.py', '--quick']
