"""Where searches are: the one that a user names, the newest one here, and all those below a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder

SEARCH_DEPTH = 4
"""How many levels below a directory its searches are looked for."""

DEPTH_OF_HINT = 2
"""The same for a search that an error names: enough for a folder that searches are written to."""


def named_search(path: str | os.PathLike[str]) -> SearchFolder:
    """The search folder that a user names; whether it is one is said by what reads it, unless one below it is meant.

    Raises:
        SearchFolderError: It is none, and there is one below it.
    """
    folder = SearchFolder(path)
    if _is_missing(folder.search_json) and (hint := hint_of_search_below(folder.path)):
        raise SearchFolderError(f'{folder.path} is not a search folder{hint}.')
    return folder


def _is_missing(path: Path) -> bool:
    """Whether there is no such file; one that cannot be looked at may be there."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


def hint_of_search_below(directory: Path) -> str:
    """The end of a sentence about a folder that is no search, with one below it; empty: there is none."""
    within = searches_below(directory, DEPTH_OF_HINT)
    return f'; one below it is {within[-1]}' if within else ''


def newest_search(below: Path) -> SearchFolder:
    """The search that was created or extended last, in a directory or at most four levels below it.

    Raises:
        SearchFolderError: There is none.
    """
    found = searches_below(below)
    if not found:
        raise SearchFolderError(f'{below}: there is no search folder at most {SEARCH_DEPTH} levels below it; name one.')
    return max((SearchFolder(path) for path in found), key=lambda folder: folder.search_json.stat().st_mtime)


def searches_below(directory: Path, depth: int = SEARCH_DEPTH) -> list[Path]:
    """The folders of all searches in a directory, or at most so many levels below it."""
    return sorted(_searches(directory, depth))


def _searches(directory: Path, depth: int) -> Iterator[Path]:
    """Search folders in a directory; links and hidden directories are not entered."""
    if os.path.isfile(directory / 'search.json'):  # False as well where others may not look
        yield directory
        return
    try:
        entries = list(os.scandir(directory)) if depth else []
    except OSError:
        return  # what cannot be listed is not the user's search
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith('.'):
            yield from _searches(Path(entry.path), depth - 1)
