"""Configuration files of scripts in which texts stand for what is searched: ``{"lr": "loguniform(1e-5, 1)"}``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpsearch.arguments.document import FORMATS, texts_of_document
from hpsearch.arguments.placeholders import CONFIG
from hpsearch.arguments.priors import looks_searched
from hpsearch.config.document_checks import read_template

_MARK = 'orion~'

_OTHER = f'a file that ends in {", ".join(FORMATS)} is expected, so that values can be put into it.'

Searched = Callable[[str], str]
"""From a text to the distribution or list it stands for; empty: it is a text like any other."""


@dataclass(frozen=True)
class SpaceFile:
    """The configuration file of a script that a command names.

    Attributes:
        words: The command, with a placeholder in the place of the file.
        path: The file, absolute; empty: the command names none with something to search.
        priors: Key, with dots between nested ones, to the text of its distribution or list.
        problems: What is wrong, in sentences.
    """

    words: Sequence[str]
    path: str = ''
    priors: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[str] = ()


def with_space_file(
    words: Sequence[str], folder: Path, searched: Searched = looks_searched, option: str = ''
) -> SpaceFile:
    """Find the configuration file in a command that has something to search, and put a placeholder in its place.

    Args:
        words: The command.
        folder: Where relative paths start.
        searched: Which texts of a file stand for something.
        option: The name of the option before it; empty: it may be any word, or stand behind any option.
    """
    found: list[tuple[int, str, str, dict[str, str]]] = []
    problems: list[str] = []
    for place, (before, word) in enumerate(zip(['', *words], words, strict=False)):
        start, path = _path_in(before, word, option)
        if path and (priors := _priors_of(folder / path, searched, problems, is_named=bool(option))):
            found.append((place, start, path, priors))
    if len(found) > 1:
        problems.append(f'{found[1][2]}: has something to search, as {found[0][2]} has; it must be in one file.')
    if not found:
        return SpaceFile(words, problems=problems)
    place, start, path, priors = found[0]
    replaced = [*words[:place], f'{start}{{{CONFIG}}}', *words[place + 1 :]]
    return SpaceFile(replaced, os.path.abspath(folder / path), priors, problems)


def searched_in(text: str, form: str, searched: Searched) -> tuple[dict[str, str], list[str]]:
    """What is searched in a document, and what is wrong with it, in sentences.

    Raises:
        ValueError: It is not of its format.
    """
    priors: dict[str, str] = {}
    problems: list[str] = []
    for key, value in texts_of_document(text, form):
        if prior := searched(value):
            if key is None and looks_searched(value):
                problems.append(f'{value!r} is in a list, where nothing can be searched; name the list itself.')
            elif key is not None:
                priors[key] = prior
    return priors, problems


def missing_files(words: Sequence[str], folder: Path) -> list[str]:
    """The configuration files that a command names and that are not there."""
    paths = (_path_in('', word, '')[1] for word in words)
    return [path for path in paths if path and not (folder / path).is_file()]


def _path_in(before: str, word: str, option: str) -> tuple[str, str]:
    """The part of a word before the path of a file, and the path; empty: it can be none."""
    name, equals, value = word.partition('=')
    if option:
        if name.lstrip('-') == option and name.startswith('-') and equals:
            return f'{name}=', value
        return ('', word) if before.startswith('-') and before.lstrip('-') == option else ('', '')
    path = value if equals else word
    is_one = not path.startswith('-') and os.path.splitext(path)[1].lower() in FORMATS
    return (f'{name}=' if equals else '', path) if is_one else ('', '')


def _priors_of(path: Path, searched: Searched, problems: list[str], *, is_named: bool) -> dict[str, str]:
    """What is searched in a file; nothing, and perhaps problems, where it cannot be read."""
    if not path.is_file():
        problems += [f'{path.name}: there is no file {path}.'] if is_named else []
        return {}
    if path.suffix.lower() not in FORMATS:
        problems += [f'{path.name}: {_OTHER}'] if _has_marks(path) else []
        return {}
    try:
        priors, found = searched_in(*read_template(path), searched)
    except ValueError as error:
        problems += [f'{path.name}: {error}'] if is_named or _has_marks(path) else []
        return {}
    problems += [f'{path.name}: {problem}' for problem in found]
    return priors


def _has_marks(path: Path) -> bool:
    """Whether somebody meant to search something in a file that is of no known format."""
    try:
        text = path.read_bytes()[: 1 << 20].decode('utf-8', 'replace')
    except OSError:
        return False
    return _MARK in text or re.search(r'\w~[a-z]+\(', text) is not None
