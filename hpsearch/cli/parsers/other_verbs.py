"""The command lines of ``status``, ``stop``, ``export`` and ``templates``."""

from __future__ import annotations

import os

from hpsearch.cli.parsers.parser import Parser, add_search_folder, parser_of, parser_of_search


def status_parser() -> Parser:
    """The parser of ``hpsearch status``."""
    parser = parser_of_search('status', 'Show the state of a search.')
    parser.add_argument('--json', action='store_true', help='as JSON, for scripts')
    parser.add_argument(
        '--predictions', action='store_true', help='also what each run was expected to need, and what was measured'
    )
    return parser


def stop_parser() -> Parser:
    """The parser of ``hpsearch stop``."""
    parser = parser_of_search('stop', 'Stop a search in an orderly way.')
    parser.add_argument('--drain', action='store_true', help='start no more runs, but let those that run end')
    parser.add_argument('--trust', action='store_true', help='stop a search that another user wrote or can write')
    return parser


def export_parser() -> Parser:
    """The parser of ``hpsearch export``."""
    from hpsearch.export.targets import TARGETS

    parser = parser_of('export', 'Write a search so that another program can open it.')
    parser.add_argument('tool', metavar='TOOL', choices=tuple(TARGETS), help=f'the program: {", ".join(TARGETS)}')
    add_search_folder(parser)
    parser.add_argument(
        '--to',
        metavar='PATH',
        default='',
        type=os.path.expanduser,
        help='the file or folder to write (default: one in the current directory, named after the search); '
        'for optuna, an ending .db makes a SQLite database of it',
    )
    return parser


def templates_parser() -> Parser:
    """The parser of ``hpsearch templates``."""
    parser = parser_of('templates', 'Configurations to start from.')
    parser.add_argument(
        'name', metavar='NAME', nargs='?', default='', help='the template to print (default: list them)'
    )
    return parser
