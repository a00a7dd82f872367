"""Grid modules from help texts as real parsers print them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.draft import Draft, draft_of, draft_of_hydra, is_configuration, module_text
from tests.unit.arguments.test_help_text import TEXTS

ALL = pytest.mark.parametrize('parser', TEXTS)

ARGPARSE = """usage: train.py [-h] --need NEED [--lr LR] [--data-dir D] [--on] data

positional arguments:
  data

options:
  -h, --help    show this help message and exit
  --need NEED
  --lr LR
  --steps STEPS
  -f F, --data-dir D
  --on
"""

SOURCE = """
parser.add_argument('--lr', type=float, default=0.3)
parser.add_argument('--steps', default=-5)
parser.add_argument('--on', action='store_true')
parser.add_argument('-f', '--data-dir', default=default_dir())
"""


def module(draft: Draft) -> dict[str, Any]:
    """The attributes of the module."""
    attributes: dict[str, Any] = {}
    exec(compile(module_text(draft), 'module', 'exec'), attributes)
    return attributes


@ALL
def test_that_options_are_listed_with_what_the_help_says(parser: str) -> None:
    draft = draft_of('train.py', '', TEXTS[parser])
    text = module_text(draft)
    assert module(draft)['grid'] == {'seed': [1]}
    assert module(draft)['_OUT_ARG'] == 'out_dir' and module(draft)['_SCRIPT_NAME'] == 'train.py'
    assert "    # 'augment': [False, True],\n" in text and "'help'" not in text
    assert "'optimizer': ['adam']" in text
    comment = next(line for line in text.splitlines() if line.startswith('    # --optimizer'))
    assert 'adam' in comment and 'sgd' in comment


@pytest.mark.parametrize('parser', [name for name in TEXTS if not name.startswith('typer')])
def test_that_defaults_and_descriptions_are_in_comments(parser: str) -> None:
    text = module_text(draft_of('train.py', '', TEXTS[parser]))
    (comment,) = [line for line in text.splitlines() if line.startswith('    # --seed')]
    assert 'seed of all' in comment and 'default' in comment


@pytest.mark.parametrize(
    ('parser', 'name_style', 'bool_style'),
    [
        ('absl', None, 'value'),
        ('argparse', None, {'augment': 'flag_no'}),
        ('click', None, {'augment': 'flag_no', 'pretrained': 'value'}),
        ('typer', 'dashes', {'augment': 'flag_no'}),
        ('tyro', 'dashes', 'flag_no'),
    ],
)
def test_that_the_style_is_that_of_the_parser(parser: str, name_style: str | None, bool_style: Any) -> None:
    for name, text in TEXTS.items():
        if name.startswith(parser):
            styles = draft_of('train.py', '', text).styles
            assert (styles.get('_NAME_STYLE'), styles['_BOOL_STYLE']) == (name_style, bool_style)


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ("@click.option('--layers', multiple=True)", 'repeat'),
        ('import typer', 'repeat'),
        ("flags.DEFINE_list('layers', [], '')", 'comma'),
        ('from jsonargparse import CLI', 'python'),
        ('', None),
    ],
)
def test_that_the_style_of_lists_is_that_of_the_library(source: str, expected: str | None) -> None:
    assert draft_of('train.py', source, TEXTS['click-8.5']).styles.get('_LIST_STYLE') == expected


def test_that_a_style_of_some_options_does_not_name_those_that_are_in_comments() -> None:
    draft = draft_of('train.py', '', TEXTS['click-8.5'])
    assert module(draft)['_BOOL_STYLE'] == {}
    attributes: dict[str, Any] = {}
    exec(module_text(draft).replace("# 'augment'", "'augment'"), attributes)
    assert attributes['_BOOL_STYLE'] == {'augment': 'flag_no'}


def test_that_defaults_are_read_from_the_source_where_the_help_has_none() -> None:
    text = module_text(draft_of('train.py', SOURCE, ARGPARSE.replace('--need NEED', '[--need NEED]', 1)))
    assert "    'lr': [0.3],\n" in text and "    # 'steps': [-5],\n" in text and "    # 'data_dir': [],\n" in text


def test_that_a_value_that_is_an_example_is_called_one() -> None:
    assert "    'lr': [0.001],  # an example\n" in module_text(draft_of('train.py', '', ARGPARSE))


def test_that_what_a_run_needs_is_said() -> None:
    draft = draft_of('train.py', SOURCE, ARGPARSE)
    assert [option.key for option in draft.options if option.is_required] == ['need', 'data']
    assert not draft.can_run
    assert draft.missing[0] == 'grid: the script needs values for need, data.'
    assert draft.styles['_ARG_STYLE'] == {'data': '{value}'}


def test_that_sub_commands_are_said() -> None:
    text = 'usage: train.py [-h] {fit,test} ...\n\noptions:\n  -h, --help  show this\n'
    draft = draft_of('train.py', '', text)
    assert draft.sub_commands == ['fit', 'test'] and not draft.can_run
    assert '_FIXED_ARGS: the script has sub-commands, one of fit, test.' in draft.missing
    own = 'usage: train.py fit [-h] [--lr LR]\n\noptions:\n  -h, --help  show this\n  --lr LR\n'
    draft = draft_of('train.py', '', own, ['fit'])
    assert draft.can_run and module(draft)['_FIXED_ARGS'] == ['fit']


CLICK_GROUP = """Usage: c.py [OPTIONS] COMMAND [ARGS]...

Options:
  --help  Show this message and exit.

Commands:
  fit   Fit it, which takes
        a while.
  test
"""

TYPER_GROUP = """
 Usage: g.py [OPTIONS] COMMAND [ARGS]...

╭─ Options ──────────────────────────────────────╮
│ --help          Show this message and exit.    │
╰────────────────────────────────────────────────╯
╭─ Commands ─────────────────────────────────────╮
│ fit   Fit it.                                  │
│ test                                           │
╰────────────────────────────────────────────────╯
"""


@pytest.mark.parametrize('text', [CLICK_GROUP, TYPER_GROUP])
def test_that_the_sub_commands_of_click_and_typer_are_said(text: str) -> None:
    assert draft_of('train.py', '', text).sub_commands == ['fit', 'test']


def test_that_the_values_of_an_option_are_no_positional_arguments() -> None:
    text = """usage: train.py [-h] --betas B1 B2 (--cold | --warm W) [--lr LR] data

positional arguments:
  data           a set
                 of data

options:
  -h, --help     show this help message and exit
  --betas B1 B2
  --cold
  --warm W
  --lr LR
"""
    draft = draft_of('train.py', '', text)
    assert [option.key for option in draft.options if option.is_required] == ['betas', 'data']


@pytest.mark.parametrize('usage', ['Usage: train.py [OPTIONS] OUT_DIR', ' Usage: train.py [OPTIONS] {out_dir}'])
def test_that_a_positional_argument_may_be_the_output_folder(usage: str) -> None:
    draft = draft_of('train.py', '', f'{usage}\n\nOptions:\n  --lr FLOAT\n  --help  Show this.\n')
    attributes = module(draft)
    assert (attributes['_OUT_ARG'], attributes['_ARG_STYLE']) == ('out_dir', {'out_dir': '{value}'})
    assert draft.can_run


@pytest.mark.parametrize('name', ['output_dir', 'save-dir', 'log_dir', 'trainer.default_root_dir'])
def test_that_the_option_for_the_output_folder_is_recognized(name: str) -> None:
    draft = draft_of('train.py', '', f'options:\n  -h, --help  show this\n  --{name} DIR\n  --lr LR\n')
    assert draft.output is not None and draft.output.shown.name == f'--{name}'


def test_that_single_dashes_are_a_style() -> None:
    draft = draft_of('train.py', '', 'options:\n  -h, --help  show this\n  -lr LR\n  -out_dir O\n')
    assert draft.styles['_ARG_STYLE'] == 'single_dash' and module(draft)['grid'] == {'lr': [0.001]}


def test_that_other_spellings_of_an_option_are_left_out() -> None:
    text = 'options:\n  -h, --help  show this\n  -l LR, --learning_rate LR, --learning-rate LR\n  -v, --verbose\n'
    assert [option.key for option in draft_of('train.py', '', text).options] == ['learning_rate', 'verbose']


def test_that_the_values_of_a_script_of_hydra_are_those_of_its_configuration() -> None:
    attributes = module(draft_of_hydra('train.py', {'optimizer.lr': '0.5', 'label': 'none'}))
    assert attributes['grid'] == {'optimizer.lr': [0.5]}
    assert (attributes['_ARG_STYLE'], attributes['_OUT_ARG']) == ('hydra', 'hydra.run.dir')


def test_that_a_script_without_help_gives_a_module_that_says_so() -> None:
    draft = draft_of('train.sh', '', '', is_python=False)
    assert module(draft)['_COMMAND'] == ['train.sh'] and module(draft)['grid'] == {} and not draft.can_run
    assert [sentence.partition(':')[0] for sentence in draft.missing] == ['grid', '_OUT_ARG', '_RESULT']


@pytest.mark.parametrize(
    ('source', 'expected'),
    [("grid = {'lr': [1]}\n_SCRIPT_NAME = 'x'\n", True), ('grid = make_grid()\n', False), ('import argparse\n', False)],
)
def test_that_a_grid_module_is_no_script(source: str, expected: bool) -> None:
    assert is_configuration(source) is expected


@given(st.text(st.sampled_from(' -=|/<>[]{}\n\t*,:no─│aAB1"\'\\'), max_size=80), st.text(max_size=30))
def test_that_any_text_gives_a_module_of_python(text: str, source: str) -> None:
    compile(module_text(draft_of('train.py', source, f'usage: x {text}\n --help\n{text}')), 'module', 'exec')
