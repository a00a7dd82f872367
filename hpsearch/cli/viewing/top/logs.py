"""The end of what a run has printed, as lines that can be shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hpsearch.model.errors import SearchFolderError
from hpsearch.records.run import RunRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.ansi_filter import AnsiFilter
from hpsearch.ui.format import printable
from hpsearch.ui.top.shown import LogShown

LARGEST = 1 << 16
"""Bytes at the end of a log that are shown."""


class LogReader:
    """Reads the logs of one run after the other, and again only what has changed."""

    def __init__(self, folder: SearchFolder) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], list[str]]] = {}

    def of(self, record: RunRecord) -> LogShown:
        """The end of what the last attempt of a run has printed, stderr last."""
        if record.last is None:
            return LogShown(f'run {record.number} has not been started')
        paths = self._folder.attempt(record.name, record.last.number)
        logs = {path: self._lines(path) for path in (paths.stdout, paths.stderr)}
        self._read = {path: self._read[path] for path in logs if path in self._read}
        given = {path: lines for path, lines in logs.items() if lines}
        attempt = f', attempt {record.last.number}' if record.last.number > 1 else ''
        title = f'run {record.number}{attempt}, {record.state.value}: {self._names(given)}'
        return LogShown(title, list(_joined(given)))

    def _names(self, logs: Iterable[str]) -> str:
        within = [os.path.relpath(path, self._folder.path) for path in logs]
        return ' and '.join([*within[:1], *map(os.path.basename, within[1:])]) or 'it has printed nothing'

    def _lines(self, path: str) -> list[str]:
        """The last lines of a file; what keeps it from being read is one."""
        try:
            facts = os.stat(path)
            stamp = facts.st_size, facts.st_mtime_ns
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = stamp, self._newly_read(path)
        except FileNotFoundError:
            return []
        except (OSError, SearchFolderError) as error:
            return [f'cannot be read: {error}']
        return self._read[path][1]

    def _newly_read(self, path: str) -> list[str]:
        with self._folder.open(Path(path)) as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LARGEST))
            data = log.read(LARGEST)
        begun = data.partition(b'\n')[2] if size > LARGEST and b'\n' in data else data
        script = AnsiFilter()
        return [printable(line) for line in [*script.feed(begun), *script.end()]]


def _joined(logs: dict[str, list[str]]) -> Iterator[str]:
    for path, lines in logs.items():
        if len(logs) > 1:
            yield f'==> {os.path.basename(path)} <=='
        yield from lines
