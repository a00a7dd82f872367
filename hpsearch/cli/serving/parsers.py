"""The command line of ``hpsearch serve``."""

from __future__ import annotations

import argparse

from hpsearch.cli.parsers.parser import Parser, add_search_folder

LOOPBACK = '127.0.0.1'


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise argparse.ArgumentTypeError(f'{text} is not between 0 and {(1 << 16) - 1}')
    return value


_port.__name__ = 'port'


def _host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError('it names no address; without --host, only this machine can reach the page')
    return text


def serve_parser() -> Parser:
    """The parser of ``hpsearch serve``."""
    parser = Parser(
        prog='hpsearch serve', description='Show the page of a search, kept fresh, to browsers on this machine.'
    )
    add_search_folder(parser)
    parser.add_argument(
        '--port', metavar='N', type=_port, default=0, help='where to listen; 0: any that is free (default: %(default)s)'
    )
    parser.add_argument(
        '--host',
        metavar='ADDRESS',
        type=_host,
        default=LOOPBACK,
        help='the address of this machine to listen at; any other than the default can be reached from the network, '
        'without encryption (default: %(default)s)',
    )
    return parser
