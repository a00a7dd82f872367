"""A parser of the words of a verb, and what several verbs have in common. Imports little: ``--help`` is fast."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from hpsearch.cli.declaring.help_format import HelpFormatter
from hpsearch.cli.exit_codes import WRONG_REQUEST

MANY_OPTIONS = '%(prog)s [OPTION ...]'
"""How the usage of a verb begins that has many of them."""

NEWEST = 'the search folder (default: the newest one below the current directory)'
"""What is said of an argument that names a search."""


class Parser(argparse.ArgumentParser):
    """Reports what is wrong in one line, and accepts dashes for the underscores in the names of options."""

    def __init__(self, **details: Any) -> None:
        super().__init__(formatter_class=HelpFormatter, **details)

    def parse_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The values of a command line; exits where a word is unknown."""
        return self._without_unknown(*self.parse_known_args(args, namespace))

    def parse_intermixed_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The same where options may stand between the words that are none."""
        return self._without_unknown(*self.parse_known_intermixed_args(args, namespace))

    def _without_unknown(self, values: Any, unknown: Sequence[str]) -> Any:
        if unknown:
            self.error(self.about_unknown(unknown[0]))
        return values

    def parse_known_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The values of a command line, and the words that are unknown."""
        return super().parse_known_args([self.with_underscores(word) for word in args], namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with one line, and where to read more."""
        self.exit(WRONG_REQUEST, f'{self.prog}: {message}\nSee {self.prog} --help.\n')

    def takes_value(self, word: str) -> bool:
        """Whether a word is an option, perhaps abbreviated, that takes the next word for its value."""
        actions = [action for name, action in self._option_string_actions.items() if name.startswith(word)]
        return bool(actions) and all(action.nargs is None for action in actions)

    def with_underscores(self, word: str) -> str:
        """A word, with underscores for the dashes in the name of an option that has them."""
        name, equals, value = word.partition('=')
        spelled = '--' + name[2:].replace('-', '_')
        is_other = name.startswith('--') and spelled != name
        return spelled + equals + value if is_other and self._begins_an_option(spelled) else word

    def _begins_an_option(self, name: str) -> bool:
        return len(name) > 2 and any(option.startswith(name) for option in self._option_string_actions)

    def about_unknown(self, word: str) -> str:
        """What is wrong with a word that is unknown."""
        name = word.partition('=')[0]
        options = [option for option in self._option_string_actions if option.startswith('--')]
        similar = difflib.get_close_matches(self.with_underscores(name), options, n=1)
        what = f'{name}: no such option' if name.startswith('-') else f'{word}: not expected here'
        return f'{what}; did you mean {similar[0]}?' if similar else f'{what}.'


def parser_of(verb: str, description: str) -> Parser:
    """The parser of a verb; empty: of none."""
    return Parser(prog=f'hpsearch {verb}'.strip(), description=description)


def parser_of_search(verb: str, description: str) -> Parser:
    """The parser of a verb that has one argument, a search."""
    parser = parser_of(verb, description)
    add_search_folder(parser)
    return parser


def add_search_folder(parser: argparse.ArgumentParser, help_text: str = NEWEST, *, is_needed: bool = False) -> None:
    """Add the argument that names a search, which may be left out unless it is needed."""
    nargs = None if is_needed else '?'
    parser.add_argument('dir', metavar='DIR', nargs=nargs, default='', type=os.path.expanduser, help=help_text)
