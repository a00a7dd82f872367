"""Moves files and folders out of the way, never over anything that is there."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.model.errors import ConfigError
from hpsearch.results.summary import handle_form

from .gathered import MISSED, Gathered

Keeps = Callable[[Mapping[str, Any], Any], object]


@dataclass(frozen=True, slots=True)
class Tidied:
    """What became of the runs when the criteria were applied.

    Attributes:
        runs: All runs, those that were moved with their new place.
        moved: Names of the runs that were moved now.
        problems: What could not be moved or evaluated and why.
        still_open: Names of the runs that were left alone since they may still be running.
    """

    runs: tuple[Gathered, ...]
    moved: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()


def criteria_value(text: str) -> float | str:
    """Gives the criteria as an evaluation handle gets them: a number where they are one."""
    try:
        return float(text)
    except ValueError:
        return text


def put_away_missed(folder: Path, runs: Iterable[Gathered], keeps: Keeps | None, criteria: str) -> Tidied:
    """Moves the output of ended runs that miss the criteria into a folder of their own; nothing is deleted.

    Args:
        folder: The search folder.
        runs: All runs of the search.
        keeps: ``_PERFORMANCE_EVAL_HANDLE`` of the configuration.
        criteria: As on the command line.

    Raises:
        ConfigError: The configuration has no such handle.
    """
    if keeps is None:
        raise ConfigError(
            ['--performance_criteria needs _PERFORMANCE_EVAL_HANDLE in the configuration (see --grid_module).']
        )
    tidied = [_tidy(folder, gathered, keeps, criteria) for gathered in runs]
    return Tidied(
        runs=tuple(gathered for gathered, _ in tidied),
        moved=tuple(gathered.run.name for gathered, note in tidied if note == _MOVED),
        problems=tuple(note for _, note in tidied if note not in ('', _MOVED)),
        still_open=tuple(gathered.run.name for gathered, _ in tidied if gathered.is_open and gathered.was_started),
    )


def keep_earlier(path: Path) -> Path | None:
    """Renames a file of an earlier call after its date; gives the new name, or None when there is no such file.

    Raises:
        OSError: It cannot be renamed.
    """
    try:
        changed = path.stat().st_mtime
    except FileNotFoundError:
        return None
    dated = f'{path.stem}_{time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(changed))}'
    kept = _free_name(path.parent, dated, path.suffix)
    path.rename(kept)
    return kept


def _free_name(parent: Path, stem: str, suffix: str) -> Path:
    place, number = parent / f'{stem}{suffix}', 1
    while os.path.lexists(place):
        number += 1
        place = parent / f'{stem}_{number}{suffix}'
    return place


_MOVED = 'moved'


def _tidy(folder: Path, gathered: Gathered, keeps: Keeps, criteria: str) -> tuple[Gathered, str]:
    """Gives the run with its place, and :data:`_MOVED`, a problem, or an empty text."""
    if gathered.is_open or gathered.is_put_away or not gathered.result.found or not gathered.output.is_dir():
        return gathered, ''
    try:
        is_kept = keeps(handle_form(gathered.result), criteria_value(criteria))
    except Exception as error:  # whatever the user's function raises is about this run only
        return gathered, f'{gathered.run.name}: _PERFORMANCE_EVAL_HANDLE raised {type(error).__name__}: {error}'
    if is_kept:
        return gathered, ''
    try:
        return gathered.moved_to(_move(folder, gathered.output)), _MOVED
    except OSError as error:
        return gathered, f'{gathered.output} could not be moved to {MISSED}: {error.strerror}'


def _move(folder: Path, output: Path) -> Path:
    """Moves the output of a run inside of the search folder; nothing outside of it is touched, wherever links lead."""
    if os.path.realpath(output.parent) != os.path.realpath(folder):
        raise OSError(errno.EXDEV, f'it is not in {folder}')
    with _opened(folder) as here:
        with suppress(FileExistsError):
            os.mkdir(MISSED, dir_fd=here)
        with _opened(MISSED, here) as there:
            if output.name in os.listdir(there):
                raise FileExistsError(errno.EEXIST, 'there is one of that name already')
            os.rename(output.name, output.name, src_dir_fd=here, dst_dir_fd=there)
    return folder / MISSED / output.name


@contextmanager
def _opened(folder: Path | str, parent: int | None = None) -> Iterator[int]:
    """A descriptor of a folder; inside of a ``parent`` it must not be a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | (0 if parent is None else os.O_NOFOLLOW)
    descriptor = os.open(folder, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
