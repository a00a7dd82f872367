"""Making the folder of a search; nothing that exists is overwritten."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder

_OURS = (
    'search.json',
    'runs.jsonl',
    'journal',
    'jobs',
    'commands.sh',
    'commands_wo_dirs.sh',
    'search_results.csv',
)


@dataclass(frozen=True)
class OpenSearch:
    """A search to be worked on.

    Attributes:
        folder: Where it is.
        configuration: What it runs and how its results are read.
        run_cwd: Working directory of its runs.
        interpreter: First word of the commands of a Python script.
        withdrawn: Runs of the plan that are no longer wanted.
    """

    folder: SearchFolder
    configuration: Configuration
    run_cwd: str
    interpreter: str
    withdrawn: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Number of runs that are wanted."""
        return self.folder.count_runs() - len(self.withdrawn)


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
        out_dir: Parent of the new folder ``search_<date>``; with ``exactly`` the folder itself.
        exactly: Use ``out_dir`` itself.
        may_exist: With ``exactly``: it may exist; an earlier search in it is moved to its subfolder ``earlier_<date>``.
        wall: Seconds since 1970.
        sleep: Waits until the next second when another search has taken the name of this one.

    Raises:
        SearchFolderError: It exists, or cannot be made.
    """
    try:
        return _exactly(out_dir, may_exist, wall()) if exactly else _inside(out_dir, wall, sleep)
    except OSError as error:
        raise SearchFolderError(
            f'{out_dir} cannot be created: {error.strerror}. Choose another folder with --out_dir.'
        ) from error


def _inside(out_dir: Path, wall: Callable[[], float], sleep: Callable[[float], None]) -> NewFolder:
    out_dir.mkdir(parents=True, exist_ok=True)
    while True:
        moment = time.localtime(wall())
        path = out_dir / time.strftime('search_%Y-%m-%d_%H-%M-%S', moment)
        try:
            path.mkdir()
        except FileExistsError:
            sleep(1.0)
        else:
            return NewFolder(SearchFolder(path), _ident(moment))


def _exactly(path: Path, may_exist: bool, now: float) -> NewFolder:
    if path.exists() and not may_exist:
        raise SearchFolderError(f'{path} exists already. Choose another --out_dir, or add --dont_force_new_dir.')
    path.mkdir(parents=True, exist_ok=True)
    made = NewFolder(SearchFolder(path), _ident(time.localtime(now)))
    _move_aside(made)
    return made


def _ident(moment: time.struct_time) -> str:
    return time.strftime('%Y%m%d%H%M%S', moment)


def _move_aside(made: NewFolder) -> None:
    path = made.folder.path
    found = [name for name in _OURS if (path / name).exists()]
    if not found:
        return
    aside = path / f'earlier_{made.ident}'
    aside.mkdir()
    for name in found:
        os.rename(path / name, aside / name)
