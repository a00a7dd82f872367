"""Which search and which of its runs a command line means."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hpsearch.model.errors import ConfigError, SearchFolderError, closest
from hpsearch.model.units import count_of, whole_number
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder

MOST_NAMED = 5
"""Runs that an error names."""


def read(folder: SearchFolder) -> SearchRecord:
    """A search as it stands.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    return read_search(folder, time.time())


def search_and_runs(
    directory: str, runs: Sequence[str], folder_of: Callable[[str], SearchFolder]
) -> tuple[SearchFolder, list[str]]:
    """The search and the words for its runs, from a command line.

    A word for a run may be the path of its output folder, which says which search is meant.

    Args:
        directory: The search folder; empty: it was left out.
        runs: The words for its runs.
        folder_of: The search of a path, or where it is empty the newest one.

    Raises:
        SearchFolderError: There is no such search, or a search folder stands where a run is expected.
    """
    for word in runs:
        if os.path.isfile(os.path.join(os.path.expanduser(word), 'search.json')):
            raise SearchFolderError(f'{word} is a search folder; name a run of it behind it.')
    outputs = [_search_of_output(word) for word in runs]
    if not directory and runs and all(outputs) and len(set(outputs)) == 1:
        return folder_of(outputs[0]), [os.path.basename(os.path.normpath(word)) for word in runs]
    return folder_of(directory), list(runs)


def _search_of_output(word: str) -> str:
    """The search folder in which an output folder lies; empty: the word is no such path."""
    path = os.path.abspath(os.path.expanduser(word))
    parent = os.path.dirname(path)
    is_output = '/' in word and os.path.isdir(path) and os.path.isfile(f'{parent}/search.json')
    return parent if is_output else ''


class Numbered(Protocol):
    """A run, of a plan or as a record."""

    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...


RunT = TypeVar('RunT', bound=Numbered)


def find_run(runs: Sequence[RunT], word: str, path: str) -> RunT:
    """The run that a word means: its name, its number, or a part of its name that no other run has.

    Args:
        runs: The runs of a search.
        word: What was given.
        path: The folder of the search.

    Raises:
        SearchFolderError: There is none, or several.
    """
    number = whole_number(word)
    exact = [run for run in runs if run.name == word] or [run for run in runs if run.number == number]
    found = exact or [run for run in runs if word and word in run.name]
    if len(found) == 1:
        return found[0]
    if not found:
        hint = closest(word, [run.name for run in runs])
        more = f'; did you mean {hint}?' if hint else f': hpsearch list {path} lists its runs.'
        raise SearchFolderError(f'{path} has no run {word}{more}')
    named = ', '.join(run.name for run in found[:MOST_NAMED])
    others = f' and {count_of(len(found) - MOST_NAMED, "other")}' if len(found) > MOST_NAMED else ''
    raise SearchFolderError(f'{word} may be {named}{others}: give the number of the run, or more of its name.')


def find_runs(runs: Sequence[RunT], words: Sequence[str], path: str) -> list[RunT]:
    """The runs that words mean; arguments as those of :func:`find_run`.

    Raises:
        ConfigError: With all words that mean none, or several.
    """
    found, problems = [], []
    for word in words:
        try:
            found.append(find_run(runs, word, path))
        except SearchFolderError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    return found
