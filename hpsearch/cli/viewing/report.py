"""``hpsearch report``: a search as one page of HTML, and its figures for papers."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hpsearch.cli.parsers.parser import Parser, add_search_folder
from hpsearch.cli.runs.choosing import read
from hpsearch.cli.viewing.postprocessing import postprocessing
from hpsearch.model.errors import ConfigError, trouble_in_words
from hpsearch.model.units import count_of
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.store.whole_files import whole_file

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
    _add_papers(parser)
    return parser


def _add_papers(parser: Parser) -> None:
    group = parser.add_argument_group('figures for papers, instead of the page unless --output is given, too')
    group.add_argument(
        '--png', metavar='DIR', type=os.path.expanduser, help='a folder for them, with 300 dots per inch'
    )
    group.add_argument(
        '--pdf',
        metavar='DIR',
        type=os.path.expanduser,
        help='a folder for them, as vectors with their fonts; or a file that ends with .pdf, one figure a page',
    )
    group.add_argument(
        '--columns',
        type=int,
        choices=(1, 2),
        help='how many columns of a paper they are as wide as: 3.35 or 6.9 inches (default: 1)',
    )


def report_lines(folder: SearchFolder, args: argparse.Namespace) -> Iterator[str]:
    """Do what the command line asks for, and say where the files are.

    Raises:
        HpsearchError: The search cannot be read, or something is not to be written.
    """
    targets = {form: target for form in ('png', 'pdf') if (target := getattr(args, form))}
    if args.columns and not targets:
        raise ConfigError(['--columns: needs --png or --pdf; the page is as wide as its window.'])
    if targets:
        yield from write_papers(folder, targets, args.columns or 1)
    if args.output or not targets:
        yield from write_report(folder, args.output)


def write_papers(folder: SearchFolder, targets: Mapping[str, str], columns: int) -> Iterator[str]:
    """Draw the figures of a search for papers, and say where.

    Args:
        folder: The search.
        targets: ``png`` or ``pdf`` to the folder, or the file of PDF.
        columns: Of a paper that they are as wide as.

    Raises:
        HpsearchError: The search cannot be read, a file is not to be written, or matplotlib is not installed.
    """
    papers = postprocessing('drawing.papers')
    for form, target in targets.items():
        postprocessing('drawing.style').check_matplotlib(f'--{form}')
        refuse_in_foreign_search(Path(os.path.abspath(target)), f'--{form}')
    figures = postprocessing('figures.payload').figures_of(read(folder))
    for form, target in targets.items():
        try:
            paths = papers.write_figures(figures, form, Path(os.path.abspath(target)), columns)
        except OSError as error:
            raise ConfigError([f'--{form}: {trouble_in_words(error)}.']) from None
        yield from map(str, paths)
        if not paths:
            yield f'--{form}: there is nothing to be drawn yet: no run has finished with a number.'


def write_report(folder: SearchFolder, output: str) -> Iterator[str]:
    """Write the page of a search, and say where; ``output`` may be empty.

    Raises:
        HpsearchError: The search cannot be read, or the file is not to be written.
    """
    path = output or f'report_{folder.path.name}.html'
    check_page(path, '--output')
    yield write_page([read_search(folder, time.time(), with_failures=True)], path, '--output')


def write_page(searches: Sequence[SearchRecord], output: str, option: str) -> str:
    """Write the page of searches; returns where, in words.

    Args:
        searches: What is shown.
        output: The file.
        option: What named it.

    Raises:
        ConfigError: It cannot be written.
    """
    path = Path(os.path.abspath(output))
    figures = postprocessing('figures.several').figures_of_several(searches)
    text = postprocessing('page.html').build_page(searches, figures)
    try:
        with whole_file(path) as out:
            out.write(text)
    except OSError as error:
        raise ConfigError([f'{trouble_in_words(error)}: name another file with {option}.']) from None
    runs = count_of(sum(len(search.runs) for search in searches), 'run')
    return f'{path} ({len(text) / 1e6:.1f} MB, {runs})'


def check_page(output: str, option: str) -> None:
    """See that nothing of anybody is harmed; arguments as those of :func:`write_page`.

    Raises:
        ConfigError: It would be.
    """
    path = Path(os.path.abspath(output))
    if not path.parent.is_dir():
        raise ConfigError([f'{option}: there is no folder {path.parent}; make it, or name another file.'])
    refuse_in_foreign_search(path, option)
    if path.exists() and not _is_ours(path):
        raise ConfigError([f'{option}: {path} is there, and is no page of hpsearch; name another file.'])


def refuse_in_foreign_search(path: Path, option: str) -> None:
    """See that nothing is written into the search of somebody else.

    Raises:
        ConfigError: It would be; ``option`` says what is written.
    """
    search = next((each for each in (path, *path.parents) if (each / 'search.json').is_file()), None)
    if search is not None and search.stat().st_uid != os.geteuid():
        raise ConfigError([f'{path} would be in the search of another user; name another place with {option}.'])


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False  # a pipe would be waited for
    try:
        with open(path, 'rb') as file:
            return OURS in file.read(NEAR)
    except OSError:
        return False
