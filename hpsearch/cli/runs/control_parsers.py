"""The command lines of the verbs that act on single runs, and on the admission of runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hpsearch.cli.parsers.parser import NEWEST, Parser, add_search_folder
from hpsearch.cli.runs.parsers import add_formats, add_where


def cancel_parser() -> Parser:
    """The parser of ``hpsearch cancel``."""
    return _parser_on_runs('cancel', 'Start no more attempts of runs, and end those that are under way.')


def rerun_parser() -> Parser:
    """The parser of ``hpsearch rerun``."""
    return _parser_on_runs('rerun', 'Let runs that did not finish, or were cancelled, have one more attempt.')


def pause_parser() -> Parser:
    """The parser of ``hpsearch pause``."""
    parser = Parser(prog='hpsearch pause', description='Start no more runs of a search, and let go on those that run.')
    add_search_folder(parser)
    parser.add_argument('--off', action='store_true', help='start runs again')
    _add_trust(parser)
    return parser


def _parser_on_runs(verb: str, description: str) -> Parser:
    parser = Parser(
        prog=f'hpsearch {verb}', usage=f'hpsearch {verb} [DIR] [RUN ...] [options]', description=description
    )
    parser.add_argument(
        'words',
        nargs='*',
        metavar='[DIR] RUN ...',
        type=os.path.expanduser,
        help=f'{NEWEST}, and names or numbers of runs',
    )
    add_where(parser)
    _add_trust(parser)
    add_formats(parser)
    return parser


def _add_trust(parser: Parser) -> None:
    parser.add_argument('--trust', action='store_true', help='also in a search that another user wrote or can write')


def directory_and_runs(words: Sequence[str]) -> tuple[str, list[str]]:
    """The search folder among the words of a command line, empty where it was left out, and the words for runs.

    The first word is the folder of a search if it is one, or if it can be no run: it ends with a slash, or is a folder
    with searches below it.
    """
    is_folder = bool(words) and (words[0].endswith('/') or _has_search(words[0]))
    return (words[0], list(words[1:])) if is_folder else ('', list(words))


def _has_search(word: str) -> bool:
    if not os.path.isdir(word):
        return False
    from hpsearch.records.finding import DEPTH_OF_HINT, searches_below

    return bool(searches_below(Path(word), DEPTH_OF_HINT))
