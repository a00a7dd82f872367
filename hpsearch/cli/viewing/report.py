"""``hpsearch report``: a search as one page of HTML."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from hpsearch.cli.parsers import Parser, add_search_folder
from hpsearch.cli.viewing.postprocessing import postprocessing
from hpsearch.model.errors import ConfigError, trouble_in_words
from hpsearch.records.reading import read_search
from hpsearch.store.folder import SearchFolder, whole_file

OURS = b'<meta name="generator" content="hpsearch">'
"""Is near the beginning of our pages."""

NEAR = 1 << 14
"""Bytes."""


def report_parser() -> Parser:
    """The parser of ``hpsearch report``."""
    parser = Parser(
        prog='hpsearch report',
        description='Write a page that shows a search: one file of HTML, which opens without a network.',
    )
    add_search_folder(parser)
    parser.add_argument(
        '--output',
        metavar='FILE',
        default='',
        type=os.path.expanduser,
        help='the file to write (default: report_NAME.html in the current directory, NAME being that of the search)',
    )
    return parser


def write_report(folder: SearchFolder, output: str) -> Iterator[str]:
    """Write the page of a search, and say where; ``output`` may be empty.

    Raises:
        HpsearchError: The search cannot be read, or the file is not to be written.
    """
    path = Path(os.path.abspath(output or f'report_{folder.path.name}.html'))
    _check(path)
    search = read_search(folder, time.time())
    figures = postprocessing('figures.payload').figures_of(search)
    text = postprocessing('page.html').build_page([search], figures)
    try:
        with whole_file(path) as out:
            out.write(text)
    except OSError as error:
        raise ConfigError([f'--output: {trouble_in_words(error)}.']) from None
    yield f'{path} ({len(text) / 1e6:.1f} MB, {len(search.runs):,} runs)'


def _check(path: Path) -> None:
    """See that nothing of anybody is harmed.

    Raises:
        ConfigError: It would be.
    """
    if not path.parent.is_dir():
        raise ConfigError([f'--output: there is no folder {path.parent}; make it, or name another file.'])
    search = next((each for each in path.parents if (each / 'search.json').is_file()), None)
    if search is not None and search.stat().st_uid != os.geteuid():
        raise ConfigError([f'{path} would be in the search of another user; name another file with --output.'])
    if path.is_dir() or (path.exists() and not _is_ours(path)):
        raise ConfigError([f'--output: {path} is there, and is no page of hpsearch; name another file.'])


def _is_ours(path: Path) -> bool:
    with open(path, 'rb') as file:
        return OURS in file.read(NEAR)
