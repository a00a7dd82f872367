"""The logs of attempts: their end, what is appended to them, and their place in the output folder of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from hpsearch.store.folder import SearchFolder

_CHUNK = 1 << 20


class LogTail:
    """Passes on what is appended to the logs of one attempt while it runs.

    Args:
        logs: Stream name (``stdout``, ``stderr``) to path.
        show: Called with the bytes and the stream name.
    """

    def __init__(self, logs: dict[str, str], show: Callable[[bytes, str], None]) -> None:
        self._show = show
        self._logs: dict[str, BinaryIO] = {name: open(path, 'rb') for name, path in logs.items()}

    def pump(self) -> bool:
        """Show what is new, at most a MiB of each log; returns whether there may be more."""
        more = False
        for name, log in self._logs.items():
            data = log.read(_CHUNK)
            if data:
                self._show(data, name)
            more = more or len(data) == _CHUNK
        return more

    def finish(self) -> None:
        """Show the rest and close the logs."""
        while self.pump():
            continue
        for log in self._logs.values():
            log.close()


def tail(path: str, limit: int = 1 << 16) -> str:
    """The end of a log, at most ``limit`` bytes; empty when there is none."""
    try:
        with open(path, 'rb') as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - limit))
            return log.read(limit).decode('utf-8', 'replace')
    except OSError:
        return ''


def show_logs_in_output(folder: SearchFolder, run: str, number: int, command: str, wants_output: bool) -> None:
    """Put the logs of an ended attempt, and its command, into the output folder of its run.

    They are hard links, so nothing is copied. The folder is made where the script made none.

    Args:
        folder: The search.
        run: Name of the run.
        number: Number of the attempt.
        command: The command as a line for a shell.
        wants_output: Whether the script takes an output folder; without one nothing is done.

    Raises:
        OSError: The folder cannot be written.
    """
    output = folder.output(run)
    if not wants_output or os.path.exists(folder.attempt(run, number + 1).folder):
        return  # the folder belongs to the next attempt by now
    output.mkdir(exist_ok=True)
    paths = folder.attempt(run, number)
    _write_command(output, command)
    for log, ending in ((paths.stdout, 'out'), (paths.stderr, 'err')):
        _link(log, f'{output}/job_{run}.{ending}')


def has_unshown_logs(folder: SearchFolder, run: str, number: int) -> bool:
    """Whether the logs of an ended attempt are missing from the output folder; the one of stderr comes last there."""
    shown = f'{folder.output(run)}/job_{run}.err'
    return not os.path.exists(shown) and os.path.exists(folder.attempt(run, number).stderr)


def _write_command(output: Path, command: str) -> None:
    with open(f'{output}/hpsearch_command.sh', 'w', encoding='utf-8', errors='surrogateescape') as script:
        script.write(f'#!/bin/sh\n{command}\n')


def _link(log: str, name: str) -> None:
    """Give a log a second name; an earlier file of that name is replaced in one step."""
    try:
        os.link(log, name)
    except FileExistsError:
        if not os.path.samefile(log, name):
            os.link(log, f'{name}.new')
            os.replace(f'{name}.new', name)
    except FileNotFoundError:
        return
    except OSError:
        os.symlink(log, name)  # a file system without hard links
