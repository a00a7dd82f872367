"""What ``hpsearch logs`` prints: the output of a run that is there, or as it comes."""

from __future__ import annotations

import shutil
import sys
import time

from hpsearch.cli.runs.choosing import find_run
from hpsearch.cli.runs.following import FollowedRun, follow
from hpsearch.records.opening import open_search
from hpsearch.store.attempt_files import log_files
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.terminal import put_line


def print_logs(folder: SearchFolder, word: str, attempt: int, *, follows: bool) -> None:
    """Print the output of a run, stderr last; or both as they grow, until the run has ended.

    Args:
        folder: The search.
        word: What names the run.
        attempt: Which attempt; 0: the latest one, and with ``follows`` those that come after it.
        follows: Whether what comes is printed as well.

    Raises:
        HpsearchError: There is no such run, or no such attempt of it.
    """
    folder.read_info()
    run = find_run(list(folder.read_runs()), word, str(folder.path))
    if not follows:
        for path in log_files(folder, run.name, attempt):
            print(f'==> {path} <==', flush=True)
            with open(path, 'rb') as log:
                shutil.copyfileobj(log, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    followed = FollowedRun(open_search(folder, time.time()), run.name)
    ended = follow(followed, attempt, _Printer().show, lambda why: put_line(sys.stderr, f'hpsearch: {run.name}: {why}'))
    put_line(sys.stderr, f'hpsearch: {run.name}: {ended}')


class _Printer:
    """Prints what is appended to logs, and whose it is where that changes."""

    def __init__(self) -> None:
        self._last = ''

    def show(self, data: bytes, path: str) -> None:
        """Print what was appended to a log, at once."""
        if path != self._last:
            print(f'==> {path} <==', flush=True)
            self._last = path
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
