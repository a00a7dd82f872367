"""The command line of ``hpsearch top``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from hpsearch.cli.parsers.parser import Parser, add_search_folder
from hpsearch.cli.parsers.values import given_in

SHORTEST = 0.1
"""Seconds between two readings, at least."""


def top_parser() -> Parser:
    """The parser of ``hpsearch top``."""
    parser = Parser(
        prog='hpsearch top',
        description='Watch a search, or those below a folder, in the terminal; keys stop and retry runs, ? lists them.',
    )
    add_search_folder(parser, 'a search folder, or one with searches below it (default: the current directory)')
    parser.add_argument(
        '--interval', metavar='SECONDS', type=_seconds, default=1.0, help='how often it is read again (default: 1)'
    )
    parser.add_argument('--once', action='store_true', help='print what it shows now, and exit')
    parser.add_argument('--trust', action='store_true', help='keys also act on a search that another user can write')
    return parser


def parse_top(words: Sequence[str]) -> argparse.Namespace:
    """The values of a command line; exits where an option would have no effect."""
    parser = top_parser()
    args: argparse.Namespace = parser.parse_args(words)
    if args.once and (idle := given_in(parser, words, ('interval', 'trust'))):
        parser.error(f'--{", --".join(sorted(idle))}: without effect with --once; leave it out')
    return args


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f'{text}: a number of seconds from {SHORTEST} on is expected')
    return seconds
