"""Which search and which of its runs a command line means."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

from hpsearch.cli.runs.output import tell_unread
from hpsearch.model.errors import ConfigError, SearchFolderError, closest
from hpsearch.model.units import count_of, whole_number
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder

MOST_NAMED = 5
"""Runs that an error names."""


def read(folder: SearchFolder, *, with_failures: bool = False) -> SearchRecord:
    """A search as it stands; what of it cannot be read is said on standard error.

    Args:
        folder: The search.
        with_failures: Whether it has failed runs grouped.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    search = read_search(folder, time.time(), with_failures=with_failures)
    tell_unread(search)
    return search


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


class _Words(Generic[RunT]):
    """What words mean among the runs of a search; names and numbers are looked up, not compared with each run."""

    def __init__(self, runs: Sequence[RunT], path: str) -> None:
        self._runs, self._path, self._unknown = runs, path, 0
        self._names = [run.name for run in runs]
        self._text = ''.join(f'{name}\0' for name in self._names)  # no word of a command line has a \0
        self._starts = list(accumulate((len(name) + 1 for name in self._names), initial=0))
        self._by_name: dict[str, list[RunT]] = {}
        self._by_number: dict[int | None, list[RunT]] = {}
        for run, name in zip(runs, self._names, strict=True):
            self._by_name.setdefault(name, []).append(run)
            self._by_number.setdefault(run.number, []).append(run)

    def run(self, word: str) -> RunT:
        """See :func:`find_run`."""
        exact = self._by_name.get(word) or self._by_number.get(whole_number(word))
        found = exact or self._having(word)
        if len(found) == 1:
            return found[0]
        raise SearchFolderError(self._about_several(word, found) if found else self._about_none(word))

    def _having(self, part: str) -> list[RunT]:
        """The runs with a part in their names, which is looked for in all names at once."""
        found: list[RunT] = []
        at = self._text.find(part) if part else -1
        while at >= 0:
            place = bisect_right(self._starts, at) - 1
            found.append(self._runs[place])
            at = self._text.find(part, self._starts[place + 1])
        return found

    def _about_none(self, word: str) -> str:
        self._unknown += 1
        hint = closest(word, self._names) if self._unknown <= MOST_NAMED else ''  # each takes long among many runs
        more = f'; did you mean {hint}?' if hint else f': hpsearch list {self._path} lists its runs.'
        return f'{self._path} has no run {word}{more}'

    def _about_several(self, word: str, found: Sequence[RunT]) -> str:
        named = ', '.join(run.name for run in found[:MOST_NAMED])
        others = f' and {count_of(len(found) - MOST_NAMED, "other")}' if len(found) > MOST_NAMED else ''
        return f'{word} may be {named}{others}: give the number of the run, or more of its name.'


def find_run(runs: Sequence[RunT], word: str, path: str) -> RunT:
    """The run that a word means: its name, its number, or a part of its name that no other run has.

    Args:
        runs: The runs of a search.
        word: What was given.
        path: The folder of the search.

    Raises:
        SearchFolderError: There is none, or several.
    """
    return _Words(runs, path).run(word)


def find_runs(runs: Sequence[RunT], words: Sequence[str], path: str) -> list[RunT]:
    """The runs that words mean; arguments as those of :func:`find_run`.

    Raises:
        ConfigError: With all words that mean none, or several.
    """
    meant, found, problems = _Words(runs, path), [], []
    for word in words:
        try:
            found.append(meant.run(word))
        except SearchFolderError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    return found
