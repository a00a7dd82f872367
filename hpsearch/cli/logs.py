"""``hpsearch logs``: the output of a run."""

from __future__ import annotations

import os
import shutil
import sys

from hpsearch.cli.parsers import LogsCommand
from hpsearch.model.errors import SearchFolderError
from hpsearch.store.folder import SearchFolder


def print_logs(command: LogsCommand) -> None:
    """Print the logs of an attempt, stderr last.

    Raises:
        SearchFolderError: There is no such run, or it was not started.
    """
    for path in log_files(SearchFolder(command.dir), command.run, command.attempt):
        print(f'==> {path} <==', flush=True)
        with open(path, 'rb') as log:
            shutil.copyfileobj(log, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def log_files(folder: SearchFolder, run: str, attempt: int) -> list[str]:
    """Paths of the logs of an attempt, stderr last.

    Args:
        folder: The search.
        run: Name of the run, or its number.
        attempt: Which attempt; 0: the last.

    Raises:
        SearchFolderError: There is no such run, or it was not started.
    """
    folder.read_info()
    names = [run] if not run.isdigit() else [each.name for each in folder.read_runs() if each.number == int(run)]
    started = sorted(int(name) for name in _names_in(folder.attempts(names[0] if names else run)) if name.isdigit())
    wanted = attempt or (started[-1] if started else 0)
    if wanted not in started:
        which = f'attempt {attempt}' if attempt else 'an attempt'
        raise SearchFolderError(f'{folder.path} does not have {which} of run {run}: it was not started.')
    paths = folder.attempt(names[0], wanted)
    return [path for path in (paths.stdout, paths.stderr) if os.path.exists(path)]


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
