"""The plan of an adaptive search: the suggestions in its journals, wherever they stand, indexed as journals grow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hpsearch.model.errors import unreadable
from hpsearch.model.run import Run, run_of_entry
from hpsearch.model.trials.suggestion import SUGGESTED
from hpsearch.store.events import problem_of


class SuggestedRuns:
    """The runs that were suggested, as their suggestions have them: where the search folder is, they do not say.

    Attributes:
        journals: The folder of the journals, which may be moved.

    Args:
        journals: The folder of the journals.
        open_file: Opens a journal to read it.
    """

    def __init__(self, journals: Path, open_file: Callable[[Path], BinaryIO]) -> None:
        self.journals = journals
        self._open = open_file
        self._runs: dict[str, tuple[str, Run]] = {}
        self._offsets: dict[str, int] = {}

    def add(self, writer: str, event: Mapping[str, Any]) -> None:
        """Take in a suggestion; of two of one name every reader takes the same (:class:`SearchState` as well)."""
        earlier = self._runs.get(event['run'])
        if earlier is None or writer < earlier[0]:
            self._runs[event['run']] = (writer, run_of_entry(event))

    def read(self) -> Iterator[Run]:
        """All of them, by their numbers.

        Raises:
            SearchFolderError: A journal may not be read.
            OSError: Something of the machine is in the way.
        """
        self._read_on()
        yield from sorted((run for _, run in self._runs.values()), key=lambda run: run.number)

    def find(self, name: str) -> Run | None:
        """One of them, or None; the journals are read on if it is not known yet.

        Raises:
            SearchFolderError: A journal may not be read.
            OSError: Something of the machine is in the way.
        """
        return self._runs[name][1] if self.has(name) else None

    def has(self, name: str) -> bool:
        """Whether one of them has this name; the journals are read on if it is not known yet.

        Raises:
            SearchFolderError: A journal may not be read.
            OSError: Something of the machine is in the way.
        """
        if name not in self._runs:
            self._read_on()
        return name in self._runs

    def count(self) -> int:
        """Their number.

        Raises:
            SearchFolderError: A journal may not be read.
            OSError: Something of the machine is in the way.
        """
        self._read_on()
        return len(self._runs)

    def _read_on(self) -> None:
        """Take in what was suggested in the journals since the last call."""
        try:
            for name in self._names():
                self._read(self.journals / name)
        except OSError as error:
            raise unreadable(self.journals, error) from error

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.journals) if entry.name.endswith('.jsonl'))
        except FileNotFoundError:
            return []

    def _read(self, journal: Path) -> None:
        writer = journal.stem
        offset = self._offsets.get(writer, 0)
        if os.stat(journal).st_size <= offset:
            return
        with self._open(journal) as lines:
            lines.seek(offset)
            for line in lines:
                if not line.endswith(b'\n'):
                    break  # it is being written
                offset += len(line)
                if line.startswith(SUGGESTED):
                    self._take(writer, line)
        self._offsets[writer] = offset

    def _take(self, writer: str, line: bytes) -> None:
        """Take in a line; what is wrong with one is reported by who reads the journals for the state."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not problem_of(event):
            self.add(writer, event)
