"""The command line of ``hpsearch init``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.cli.parsers.parser import Parser, parser_of


@dataclass(frozen=True)
class InitCommand:
    """``hpsearch init``.

    Attributes:
        script: Path of the script.
        words: Words that every run gets before its options.
        python: First word of the commands of a Python script; empty: ``python3``.
        output: Path of the module to write; empty: it is named after the script.
        tries: Whether the script is run once, to see where its result is.
    """

    script: str
    words: Sequence[str]
    python: str
    output: str
    tries: bool


def init_parser() -> Parser:
    """The parser of ``hpsearch init``."""
    parser = parser_of('init', 'Write a configuration for a script, from its --help and from one run of it.')
    parser.add_argument('script', metavar='SCRIPT', type=os.path.expanduser, help='a .py file or a program')
    parser.add_argument('words', metavar='WORD', nargs='*', help='what every run gets first, such as a sub-command')
    parser.add_argument(
        '--output', metavar='FILE', default='', help='the file to write (default: SCRIPT_search.py, here)'
    )
    parser.add_argument(
        '--python', metavar='FILE', default='', type=os.path.expanduser, help='the interpreter (default: python3)'
    )
    parser.add_argument('--dont_try', action='store_true', help='do not run the script')
    return parser


def parse_init(words: Sequence[str]) -> InitCommand:
    """``hpsearch init``."""
    values = vars(init_parser().parse_args(words))
    tries = not values.pop('dont_try')
    return InitCommand(**values, tries=tries)
