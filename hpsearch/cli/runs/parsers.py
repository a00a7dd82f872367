"""The command lines of the verbs on runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from hpsearch.cli.declaring.fields import integer_from
from hpsearch.cli.parsers.parser import Parser, add_search_folder

WHERE = "a condition, such as 'lr<0.01 and state=finished' (see docs/runs.rst)"


def list_parser() -> Parser:
    """The parser of ``hpsearch list``."""
    parser = Parser(prog='hpsearch list', description='List the runs of a search.')
    add_search_folder(parser)
    add_where(parser)
    parser.add_argument(
        '--columns',
        metavar='A,B',
        default='',
        help='what is shown of each run: parameters, keywords of the result, metrics, facts such as state',
    )
    parser.add_argument(
        '--sort', metavar='A,-B', default='', help='by what runs are sorted; -B: descending (default: their number)'
    )
    add_limit(parser, 'all', 0)
    add_formats(parser)
    return parser


def show_parser() -> Parser:
    """The parser of ``hpsearch show``."""
    parser = Parser(prog='hpsearch show', description='Show all that is known of a run.')
    add_search_folder(parser)
    parser.add_argument('run', metavar='RUN', help=RUN)
    add_formats(parser)
    return parser


def best_parser() -> Parser:
    """The parser of ``hpsearch best``."""
    parser = Parser(prog='hpsearch best', description='List the best runs, or the Pareto front of several objectives.')
    add_search_folder(parser)
    add_where(parser)
    add_limit(parser, '10; 0: all', 10)
    add_formats(parser)
    return parser


def diff_parser() -> Parser:
    """The parser of ``hpsearch diff``."""
    parser = Parser(prog='hpsearch diff', description='Show what differs between two runs.')
    add_search_folder(parser)
    parser.add_argument('run', metavar='RUN', help=RUN)
    parser.add_argument('other', metavar='RUN', help='the other run')
    add_formats(parser)
    return parser


def logs_parser() -> Parser:
    """The parser of ``hpsearch logs``."""
    parser = Parser(prog='hpsearch logs', description='Print the output of a run, stderr last.')
    add_search_folder(parser)
    parser.add_argument('run', metavar='RUN', help=RUN)
    add_formats(parser).add_argument(
        '-f', '--follow', action='store_true', help='print what comes, too, until the run has ended; Ctrl-C ends it'
    )
    parser.add_argument(
        '--attempt', metavar='N', type=integer_from(1), default=0, help='which attempt (default: the last)'
    )
    return parser


RUN = 'its name, its number, a part of its name that no other run has, or its output folder'


def add_where(parser: Parser) -> None:
    """Add the option that chooses runs."""
    parser.add_argument('--where', metavar='CONDITION', default='', help=f'only runs of which this holds: {WHERE}')


def add_limit(parser: Parser, default_in_words: str, default: int) -> None:
    """Add the option that limits how many runs are listed; 0: all."""
    help_text = f'how many, at most (default: {default_in_words})'
    parser.add_argument('-n', '--limit', metavar='N', type=integer_from(0), default=default, help=help_text)


def add_formats(parser: Parser) -> argparse._MutuallyExclusiveGroup:
    """Add the options that say how it is written; returns their group, of which one may be given."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument('--json', action='store_true', help='as JSON, for scripts')
    forms.add_argument('--csv', action='store_true', help='as CSV with commas, for spreadsheets and scripts')
    return forms


def parse_on_runs(parser: Parser, words: Sequence[str]) -> Any:
    """The values of a command line; DIR may be left out before an option and RUN, and ``--sort`` may take ``-KEY``."""
    return parser.parse_intermixed_args(_joined(words))


def _joined(words: Sequence[str]) -> list[str]:
    """The words with ``--sort -acc`` as one word, which would be taken for an option otherwise."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == '--sort' and word[:1] == '-' and word[:2] != '--':
            joined[-1] = f'--sort={word}'
        else:
            joined.append(word)
    return joined
