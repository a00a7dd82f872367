"""Making the folder of a new search: nothing that is there already is overwritten."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpsearch.errors import SearchFolderError
from hpsearch.folder import SearchFolder

_OURS = (
    'search.json',
    'runs.jsonl',
    'journal',
    'jobs',
    'commands.sh',
    'commands_wo_dirs.sh',
    'search_results.csv',
)


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder that was made for a search, and the identifier in the names of its runs."""

    folder: SearchFolder
    ident: str


def make_folder(
    out_dir: Path,
    *,
    exactly: bool,
    may_exist: bool,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> NewFolder:
    """Make the folder of a search.

    Args:
        out_dir: Where: a subfolder ``search_<date>`` of it, or with ``exactly`` itself.
        exactly: Use ``out_dir`` itself.
        may_exist: It may be there already; an earlier search in it is moved into a subfolder ``earlier_<date>``.
        wall: Seconds since 1970.
        sleep: Waits; used when another search took the name of this second.

    Raises:
        SearchFolderError: It exists, or cannot be made.
    """
    try:
        if exactly:
            return _exactly(out_dir, may_exist, wall())
        out_dir.mkdir(parents=True, exist_ok=True)
        while True:
            moment = time.localtime(wall())
            try:
                path = out_dir / time.strftime('search_%Y-%m-%d_%H-%M-%S', moment)
                path.mkdir()
                return NewFolder(SearchFolder(path), time.strftime('%Y%m%d%H%M%S', moment))
            except FileExistsError:
                sleep(1.0)
    except OSError as error:
        raise SearchFolderError(
            f'{out_dir} cannot be made: {error.strerror}. Choose another place with --out_dir.'
        ) from error


def _exactly(path: Path, may_exist: bool, now: float) -> NewFolder:
    if path.exists() and not may_exist:
        raise SearchFolderError(f'{path} exists already. Choose another --out_dir, or allow it: --dont_force_new_dir.')
    path.mkdir(parents=True, exist_ok=True)
    folder = SearchFolder(path)
    ident = time.strftime('%Y%m%d%H%M%S', time.localtime(now))
    _move_aside(folder, ident)
    return NewFolder(folder, ident)


def _move_aside(folder: SearchFolder, ident: str) -> None:
    found = [name for name in _OURS if (folder.path / name).exists()]
    if not found:
        return
    aside = folder.path / f'earlier_{ident}'
    aside.mkdir()
    for name in found:
        os.rename(folder.path / name, aside / name)


def keep_copy(source: str, folder: SearchFolder) -> None:
    """Copy a configuration into the search folder, for people.

    Raises:
        OSError: It cannot be copied.
    """
    shutil.copyfile(source, folder.path / os.path.basename(source))
