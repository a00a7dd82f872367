"""The command line of ``hpsearch compare``."""

from __future__ import annotations

import os

from hpsearch.cli.parsers.parser import Parser
from hpsearch.cli.runs.parsers import add_formats


def compare_parser() -> Parser:
    """The parser of ``hpsearch compare``."""
    parser = Parser(
        prog='hpsearch compare', description='Compare searches: what came of each, and in what they differ.'
    )
    parser.add_argument('dirs', metavar='DIR', nargs='+', type=os.path.expanduser, help='the search folders')
    add_formats(parser)
    parser.add_argument(
        '--html',
        metavar='FILE',
        default='',
        type=os.path.expanduser,
        help='write a page that shows all of them: one file of HTML, which opens without a network',
    )
    return parser
