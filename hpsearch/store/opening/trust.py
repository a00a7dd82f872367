"""Whether a search is this user's own: working on it executes what it says, so nobody else may have written that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hpsearch.host.ownership import why_not_ours
from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder


def to_work_on(folder: SearchFolder, *, trust: bool) -> SearchFolder:
    """The folder of a search, as one that may be worked on.

    Unless it is trusted, each of its files is checked again when it is opened: it may be replaced in the meantime.

    Raises:
        SearchFolderError: Another user wrote some of it, or could have, and it is not trusted.
    """
    if trust:
        return folder
    foreign = why_foreign(folder)
    if foreign:
        raise SearchFolderError(
            f'{foreign}, and working on a search executes what its folder contains: check {folder.commands_sh}, '
            f'then use --trust. If all of it is yours, chmod -R go-w {folder.path} is enough.'
        )
    return SearchFolder(folder.path, only_ours=True)


def why_foreign(folder: SearchFolder) -> str:
    """The first part of a search that another user wrote or could write, in words; empty: there is none.

    What the scripts of its runs write is only read as data and not looked at.

    Raises:
        SearchFolderError: It cannot be read.
    """
    try:
        return why_not_ours(os.path.realpath(folder.path)) or next(filter(None, map(why_not_ours, _parts(folder))), '')
    except OSError as error:
        raise SearchFolderError(f'{error.filename} cannot be read: {error.strerror}.') from error


def _parts(folder: SearchFolder) -> Iterator[Path | str]:
    """The plan, the journals and the folders of all attempts, each after the folder that it is in."""
    yield from (folder.search_json, folder.runs_jsonl, folder.journal_dir)
    yield from (entry.path for entry in _entries(folder.journal_dir) if entry.name.endswith('.jsonl'))
    yield from _copied(folder.code_dir)
    yield folder.jobs_dir
    for run in _entries(folder.jobs_dir):
        yield run.path
        yield from (attempt.path for attempt in _entries(run.path) if attempt.name.isdecimal())


def _copied(code: Path) -> Iterator[str]:
    """The copy of the code; its links lead to what the originals of them lead to."""
    for parent, _, names in os.walk(code):
        yield parent
        yield from (path for name in names if not os.path.islink(path := f'{parent}/{name}'))


def _entries(path: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
