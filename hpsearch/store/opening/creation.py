"""The folder of a new search; an earlier search in it is moved aside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder

POSTPROCESSED = (
    *('postprocessing_*', 'finished_runs*.jsonl', 'unfinished_runs*.jsonl', 'missing_runs*.jsonl', 'TO_BE_DELETED'),
    'pbt_schedules*',
)
"""Patterns of what postprocessing makes in a search folder."""

WRITTEN = 'space'
"""Name, without its ending, of the copy of a script's file, beside a configuration that was written."""


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder that was made for a search.

    Attributes:
        folder: The folder.
        ident: Identifies the search in the names of its runs.
        earlier: Where an earlier search in the folder was moved; None: there was none.
    """

    folder: SearchFolder
    ident: str
    earlier: Path | None = None


def make_folder(
    out_dir: Path,
    *,
    exactly: bool,
    may_exist: bool,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> NewFolder:
    """Make the folder of a search; nothing that exists is overwritten.

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
        if exactly and not may_exist and out_dir.exists():
            raise SearchFolderError(f'{out_dir} exists already. Choose another --out_dir, or add --dont_force_new_dir.')
        out_dir.mkdir(0o755 if exactly else 0o777, parents=True, exist_ok=True)
        return _exactly(out_dir, time.localtime(wall())) if exactly else _inside(out_dir, wall, sleep)
    except OSError as error:
        raise SearchFolderError(
            f'{out_dir} cannot be created: {error.strerror}. Choose another folder with --out_dir.'
        ) from error


def _inside(out_dir: Path, wall: Callable[[], float], sleep: Callable[[float], None]) -> NewFolder:
    while True:
        moment = time.localtime(wall())
        path = out_dir / time.strftime('search_%Y-%m-%d_%H-%M-%S', moment)
        try:
            path.mkdir(0o755)
        except FileExistsError:
            sleep(1.0)
        else:
            return NewFolder(SearchFolder(path), _ident(moment))


def _exactly(path: Path, moment: time.struct_time) -> NewFolder:
    folder, ident = SearchFolder(path), _ident(moment)
    earlier = _earlier_search(folder)
    if not earlier:
        return NewFolder(folder, ident)
    aside = folder.path / f'earlier_{ident}'
    aside.mkdir()
    for each in earlier:
        os.rename(each, aside / each.name)
    return NewFolder(folder, ident, aside)


def _earlier_search(folder: SearchFolder) -> list[Path]:
    """All that an earlier search left in a folder; last what says that there is one, and names its runs."""
    made = [folder.journal_dir, folder.jobs_dir, folder.submissions_dir, folder.provenance_dir]
    made += [folder.code_dir, folder.commands_sh, folder.commands_wo_dirs_sh, folder.results_csv]
    made += [path for pattern in POSTPROCESSED for path in folder.path.glob(pattern)]
    found = [*_outputs(folder), *_copies(folder), *made, folder.search_json, folder.runs_jsonl]
    return [each for each in found if os.path.lexists(each)]


def _copies(folder: SearchFolder) -> Iterator[Path]:
    """The copies of the files that a search was configured by, not the files themselves."""
    try:
        info = folder.read_info()
        sources = [info['configuration']['source'], info['options'].get('grid_config')]
    except (SearchFolderError, KeyError, TypeError, AttributeError):
        return  # it does not say which they are
    for source in sources:
        copy = folder.path / os.path.basename(str(source or ''))
        if source and copy.is_file() and info['options'].get('command'):
            yield from (copy, *folder.path.glob(f'{WRITTEN}.*'))  # they were written for it
        elif source and copy.is_file() and os.path.realpath(str(source)) != os.path.realpath(copy):
            yield copy


def _outputs(folder: SearchFolder) -> Iterator[Path]:
    """The output folders of the runs of a search, and those that were moved aside."""
    try:
        names = {run.name for run in folder.read_runs()}
    except SearchFolderError:
        return  # without a plan nobody knows which they are
    for entry in os.scandir(folder.path):
        if entry.name.partition('.attempt')[0] in names:
            yield folder.path / entry.name


def _ident(moment: time.struct_time) -> str:
    return time.strftime('%Y%m%d%H%M%S', moment)
