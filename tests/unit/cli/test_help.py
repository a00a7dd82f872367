"""The help of every verb: complete, true, and as wide as the terminal."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from hpsearch.cli.declaring.help_format import HelpFormatter, stated_default
from hpsearch.cli.describing.verbs import parsers_of_verbs, short_help
from hpsearch.cli.main import VERBS
from hpsearch.cli.parsers.parser import Parser
from hpsearch.cli.parsers.searches import parse_run, run_parser

PARSERS = parsers_of_verbs()

UNITS = {
    *('N', 'N|auto', 'K', 'K|auto', 'RUN', 'PORT'),  # counts and numbers of things, which the help names
    *('SECONDS', 'HOURS', 'STEP', 'FRACTION', 'FACTOR', 'NICENESS', 'SEED', 'VALUE', 'DIGITS', 'MIB'),
}  # fmt: skip
"""What stands for the value of an option that takes a number."""


def options() -> Iterator[tuple[str, argparse.Action]]:
    """Every option and every word that any verb takes, once, but for those without help on purpose."""
    seen = set()
    for verb, parser in PARSERS.items():
        for action in parser._actions:
            key = (action.dest, action.help)
            if action.help != argparse.SUPPRESS and key not in seen:
                seen.add(key)
                yield f'{verb} {action.option_strings[-1] if action.option_strings else action.dest}', action


OPTIONS = dict(options())


def takes_number(action: argparse.Action) -> bool:
    """Whether a number is expected."""
    return action.type in (int, float) or 'number' in getattr(action.type, '__name__', '')


def test_that_every_verb_is_listed_and_has_a_parser() -> None:
    assert set(PARSERS) == set(VERBS)
    shown = short_help(80)
    assert [verb for verb in VERBS if f'  hpsearch {verb} ' not in shown] == []
    assert {verb: parser.prog for verb, parser in PARSERS.items()} == {verb: f'hpsearch {verb}' for verb in VERBS}


@pytest.mark.parametrize('name', OPTIONS)
def test_that_an_option_says_what_it_means_in_which_unit_and_what_holds_without_it(name: str) -> None:
    action = OPTIONS[name]
    assert action.help
    assert len(action.help) > 8
    if takes_number(action) and not action.choices:
        assert action.metavar in UNITS
    elif action.nargs != 0 and not action.choices:
        assert str(action.metavar).isupper()
    if action.nargs != 0 and action.default not in (None, '', [], (), argparse.SUPPRESS):
        assert '(default: ' in action.help + stated_default(action)


@pytest.mark.parametrize('verb', PARSERS)
@pytest.mark.parametrize('columns', [60, 80])
def test_that_help_fits_the_terminal(verb: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', str(columns))
    lines = PARSERS[verb].format_help().splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if len(line) > columns and line.startswith(' ' * 20)] == []


@pytest.mark.parametrize('columns', [60, 80, 100])
def test_that_the_list_of_verbs_fits_the_terminal(columns: int) -> None:
    assert max(map(len, short_help(columns).splitlines())) <= columns


def test_that_a_default_is_stated_once_and_as_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    parser = Parser(prog='x')
    parser.add_argument('--wait', metavar='SECONDS', type=float, default=30.0, help='seconds between two')
    parser.add_argument('--load', metavar='FRACTION', type=float, default=0.5, help='at most 10%%')
    parser.add_argument('--jobs', metavar='N', type=int, help='jobs at a time (default: all)')
    shown = parser.format_help()
    assert 'seconds between two (default: 30)' in shown
    assert 'at most 10% (default: 0.5)' in shown
    assert shown.count('(default: all)') == 1


def test_that_examples_are_shown_as_they_are_written_and_are_right() -> None:
    epilog = run_parser().epilog or ''
    shown = HelpFormatter('hpsearch')._fill_text(epilog, 60, '')
    examples = re.findall(r'^  hpsearch run ((?:.+\\\n)?.+)', epilog, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        assert example in shown
        assert parse_run(shlex.split(example.replace('\\\n', '')))
