"""The plan of an adaptive search: the suggestions in its journals, wherever they stand, indexed as journals grow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hpsearch.model.run import Run, run_of_entry
from hpsearch.model.trials.suggestion import SUGGESTED
from hpsearch.store.events import problem_of


class SuggestedRuns:
    """The runs that were suggested, as their suggestions have them: where the search folder is, they do not say.

    Args:
        open_file: Opens a journal to read it.
    """

    def __init__(self, open_file: Callable[[Path], BinaryIO]) -> None:
        self._open = open_file
        self._runs: dict[str, tuple[str, Run]] = {}
        self._offsets: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, name: object) -> bool:
        return name in self._runs

    def __iter__(self) -> Iterator[Run]:
        """All of them, by their numbers."""
        return iter(sorted((run for _, run in self._runs.values()), key=lambda run: run.number))

    def get(self, name: str) -> Run | None:
        """The run of this name, as far as it was read."""
        found = self._runs.get(name)
        return found[1] if found else None

    def add(self, writer: str, event: Mapping[str, Any]) -> None:
        """Take in a suggestion; of two of one name every reader takes the same (:class:`SearchState` as well)."""
        earlier = self._runs.get(event['run'])
        if earlier is None or writer < earlier[0]:
            self._runs[event['run']] = (writer, run_of_entry(event))

    def read(self, journals: Path) -> None:
        """Take in what was suggested in the journals of a folder since the last call.

        Raises:
            SearchFolderError: A journal may not be read.
            OSError: One cannot be read.
        """
        try:
            names = sorted(entry.name for entry in os.scandir(journals) if entry.name.endswith('.jsonl'))
        except FileNotFoundError:
            return
        for name in names:
            self._read(journals / name)

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
