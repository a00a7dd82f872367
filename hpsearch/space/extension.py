"""A search whose grid changed: new combinations are added to its plan, and removed ones are not run unless finished.

The order of the writes makes every crash harmless. The command files come first, then the plan, ``search.json`` last:
lines of commands that the plan does not have are cut off by the next extension, and runs that ``search.json`` does
not mention are runs of the search like all others.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run, encode_run, with_output
from hpsearch.model.states import State
from hpsearch.space.identity import Identity, identity_of, stored
from hpsearch.store.folder import SearchFolder
from hpsearch.store.whole_files import whole_file

_FIXED = {
    'script': '_SCRIPT_NAME',
    'command': '_COMMAND',
    'env': '_ENV',
    'config_template': '_CONFIG_TEMPLATE',
    'config_arg': '_CONFIG_ARG',
    'fixed_args': '_FIXED_ARGS',
    'styles': 'the style of the arguments',
    'out_arg': '_OUT_ARG',
}
"""What an extension cannot change: the runs that are there would not be runs of the new configuration."""


@dataclass(frozen=True)
class Extension:
    """What changes in the plan of a search.

    Attributes:
        added: Runs that are new, with names and numbers that continue the old ones.
        withdrawn: Names of old runs that the new grid does not have and that have not finished.
        kept: How many old runs stay: those of the new grid, and those that have finished.
        planned: How many runs the plan had.
    """

    added: Sequence[Run]
    withdrawn: Sequence[str]
    kept: int
    planned: int


@contextmanager
def extending(folder: SearchFolder) -> Iterator[None]:
    """A lock to hold from reading the plan of a search until its extension is written.

    It ends with the process, however that ends. On a file system without locks it has no effect, and only the check of
    :func:`write_extension` is left.

    Raises:
        SearchFolderError: Another process is extending it, or the folder cannot be written.
    """
    try:
        handle = os.open(folder.path / '.extension.lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise SearchFolderError(f'{folder.path} cannot be changed: {error.strerror}.') from error
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: SearchFolder) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SearchFolderError(
            f'{folder.path} is being extended by another hpsearch at this moment: try again when that is done.'
        ) from None
    except OSError:
        return  # there are no locks here


def _check_extendable(folder: SearchFolder, configuration: Configuration) -> None:
    """Make sure that a configuration differs from that of a search only in what an extension can change."""
    earlier, _ = stored(folder)
    pairs = [(text, getattr(earlier, name), getattr(configuration, name)) for name, text in _FIXED.items()]
    problems = [
        f'{text}: was {before!r:.200} when {folder.path} was made and is {now!r:.200}; an extension can change grid, '
        f'conditions and constraints only. Start a new search.'
        for text, before, now in pairs
        if _comparable(before) != _comparable(now)
    ]
    if problems:
        raise ConfigError(problems)


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def extend(
    folder: SearchFolder,
    configuration: Configuration,
    old_runs: Iterable[Run],
    new_runs: Iterable[Run],
    state: SearchState,
) -> Extension:
    """Compare the plan of a search with that of a new configuration; nothing is written.

    Args:
        folder: The search.
        configuration: The new configuration.
        old_runs: The plan of the search; iterated once, as is the new one, so both may be streamed.
        new_runs: The runs of the new configuration; their names and numbers do not matter.
        state: The state of the old runs.

    Raises:
        ConfigError: The configuration runs something else than the search does, or cannot be expanded.
        SearchFolderError: The folder does not say what was run.
    """
    _check_extendable(folder, configuration)
    recognise = identity_of(folder)
    old = _Old()
    names = {recognise.key_of(run): old.take(run) for run in old_runs}
    seen: set[bytes] = set()
    added: list[Run] = []
    for run in new_runs:
        key = recognise.key_of(run)
        if key not in names and key not in seen:
            added.append(old.continued(run, len(added), folder, recognise))
        seen.add(key)
    gone = (name for key, name in names.items() if key not in seen)
    withdrawn = [name for name in gone if state.state_of(name) is not State.FINISHED]
    return Extension(added, withdrawn, old.count - len(withdrawn), old.count)


@dataclass
class _Old:
    """What is kept of the old plan, which may be large: a name, the count, the largest number."""

    name: str = ''
    count: int = 0
    number: int = 0

    def take(self, run: Run) -> str:
        self.name = self.name or run.name
        self.count += 1
        self.number = max(self.number, run.number)
        return run.name

    def continued(self, run: Run, place: int, folder: SearchFolder, recognise: Identity) -> Run:
        """A new run as if it had always stood at the end of the old plan, ``place`` runs after it."""
        prefix, _, digits = (self.name or run.name).rpartition('_')
        number = self.number + place + 1
        name = f'{prefix}_{number:0{len(digits)}d}'
        return Run(name, number, run.params, recognise.with_output(run, str(folder.output(name))))


def write_extension(folder: SearchFolder, extension: Extension, changes: Mapping[str, Any]) -> None:
    """Write an extension into the search folder; each file is whole at every moment.

    Args:
        folder: The search; :func:`extending` is held.
        extension: What changes.
        changes: New entries of ``search.json``, e.g. its ``configuration``.

    Raises:
        SearchFolderError: The plan has changed since the extension was made.
        OSError: A file cannot be written; the search is unchanged or partly extended, and can be extended again.
    """
    if folder.count_runs() != extension.planned:
        raise SearchFolderError(
            f'{folder.runs_jsonl} is damaged, or has changed in the meantime: mend it, or extend it again.'
        )
    if extension.added:
        _write_plan(folder, extension)
    folder.write_info({**folder.read_info(), **changes, 'withdrawn': list(extension.withdrawn)})


def _write_plan(folder: SearchFolder, extension: Extension) -> None:
    recognise = identity_of(folder)
    files: list[tuple[Path, Callable[[Run], str]]] = [
        # The last one is renamed first: where the plan is, the commands are too.
        (folder.runs_jsonl, encode_run),
        (folder.commands_sh, lambda run: f'{shell_line(with_output(run, str(folder.output(run.name))).argv)}\n'),
        (folder.commands_wo_dirs_sh, lambda run: f'{shell_line(recognise.without_output(run))}{recognise.note(run)}\n'),
    ]
    with ExitStack() as renamed_at_end:
        for path, line_of in files:
            out = renamed_at_end.enter_context(whole_file(path))
            out.writelines(_old_lines(folder, path, extension.planned, line_of))
            out.writelines(map(line_of, extension.added))


def note_place(folder: SearchFolder) -> str:
    """Bring what names the search folder up to date after it was moved or copied: ``commands.sh`` and ``search.json``.

    Returns:
        Where it was before; empty: it is there still, under whatever name.

    Raises:
        SearchFolderError: Another process is extending it, or it cannot be written.
        OSError: A file cannot be written; it is tried again when the search is resumed.
    """
    if folder.is_at(folder.read_info()['place']):
        return ''
    with extending(folder):
        info = folder.read_info()
        with whole_file(folder.commands_sh) as commands:
            commands.writelines(f'{shell_line(run.argv)}\n' for run in folder.read_runs())
        folder.write_info(info)
    return str(info['place'])


def _old_lines(folder: SearchFolder, path: Path, planned: int, line_of: Callable[[Run], str]) -> Iterator[str]:
    """The lines of the old plan as they are; a file that was removed or shortened is made again."""
    if _count_lines(path) < planned:
        yield from map(line_of, folder.read_runs())
        return
    with TextIOWrapper(folder.open(path), encoding='utf-8', errors='surrogateescape', newline='\n') as lines:
        for text in islice(lines, planned):
            yield text if text.endswith('\n') else f'{text}\n'


def _count_lines(path: Path) -> int:
    try:
        with open(path, 'rb') as lines:
            return sum(1 for _ in lines)
    except FileNotFoundError:
        return 0
