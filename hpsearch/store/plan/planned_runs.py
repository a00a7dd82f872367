"""The plan of a search whose runs are all known in advance: a file with a line for each, indexed as it grows.

A line that is damaged is left out, with one warning, but still counts as a run that is wanted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from hpsearch.model.errors import SearchFolderError, unreadable
from hpsearch.model.run import Run, decode_run

log = logging.getLogger('hpsearch')

MOST_WARNINGS = 5
"""Damaged lines of a file that are named at a time."""


class PlannedRuns:
    """The runs of a plan, as its lines have them: where the search folder is, they do not say.

    Attributes:
        path: The file, which may be moved.

    Args:
        path: The file.
        open_file: Opens it to read it.
    """

    def __init__(self, path: Path, open_file: Callable[[Path], BinaryIO]) -> None:
        self.path = path
        self._open = open_file
        self._places: dict[str, tuple[int, int]] = {}
        self._indexed, self._indexed_lines = 0, 0
        self._damaged: set[int] = set()

    def read(self) -> Iterator[Run]:
        """All of them, in their order.

        Raises:
            SearchFolderError: The plan is missing or may not be read.
            OSError: Something of the machine is in the way.
        """
        seen: set[str] = set()
        try:
            with self._open(self.path) as plan:
                for number, line in enumerate(plan, 1):
                    run = self._decoded(line, number)
                    self._note(line, number, run)
                    if run is not None and self._is_new(run.name, seen, number):
                        yield run
        except FileNotFoundError:
            raise SearchFolderError(
                f'{self.path.parent} has no plan ({self.path.name}): the search ended before it was made.'
            ) from None
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _is_new(self, name: str, seen: set[str], number: int) -> bool:
        if name in seen:
            self._warn(number, f'{name} is there already')
            return False
        seen.add(name)
        return True

    def first(self, lines: int) -> list[Run]:
        """The runs of so many lines at the beginning; nobody is told of those that are damaged.

        Raises:
            SearchFolderError: The plan may not be read.
            OSError: It cannot be read.
        """
        with self._open(self.path) as plan:
            return [run for line in islice(plan, lines) if (run := _run_of(line)) is not None]

    def find(self, name: str) -> Run | None:
        """One of them, or None; the plan is indexed as far as it has grown since the last call.

        Raises:
            SearchFolderError: The plan may not be read.
            OSError: It cannot be read.
        """
        with self._open(self.path) as plan:
            if name not in self._places:
                self._index(plan)
            if name not in self._places:
                return None
            offset, number = self._places[name]
            plan.seek(offset)
            return self._decoded(plan.readline(), number)

    def has(self, name: str) -> bool:
        """Whether one of them has this name.

        Raises:
            SearchFolderError: The plan may not be read.
            OSError: It cannot be read.
        """
        if name not in self._places:
            with self._open(self.path) as plan:
                self._index(plan)
        return name in self._places

    def _index(self, plan: BinaryIO) -> None:
        """Note where the runs begin that were appended; a line that is being written is left for the next time."""
        plan.seek(self._indexed)
        for number, line in enumerate(plan, self._indexed_lines + 1):
            if not line.endswith(b'\n') and _run_of(line) is None:
                return
            self._note(line, number, self._decoded(line, number))

    def _note(self, line: bytes, number: int, run: Run | None) -> None:
        """Note where a run begins, if its line is the first that was not indexed yet; of None it is damaged."""
        if number != self._indexed_lines + 1 or (run is None and not line.endswith(b'\n')):
            return
        if run is not None:
            self._places.setdefault(run.name, (self._indexed, number))
        self._indexed_lines, self._indexed = number, self._indexed + len(line)

    def _decoded(self, line: bytes, number: int) -> Run | None:
        try:
            return decode_run(line.decode())
        except ValueError as error:
            self._warn(number, str(error))
            return None

    def _warn(self, number: int, problem: str) -> None:
        if number not in self._damaged:
            self._damaged.add(number)
            if len(self._damaged) <= MOST_WARNINGS:
                log.warning('%s, line %d is left out, it is damaged: %s', self.path, number, problem)

    def count(self) -> int:
        """Their number, without parsing the plan: damaged ones are wanted, too.

        Raises:
            SearchFolderError: The plan may not be read.
            OSError: Something of the machine is in the way.
        """
        lines, last = 0, b'\n'
        try:
            with self._open(self.path) as plan:
                while chunk := plan.read(1 << 20):
                    lines, last = lines + chunk.count(b'\n'), chunk[-1:]
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise unreadable(self.path, error) from error
        return lines + (last != b'\n')


def _run_of(line: bytes) -> Run | None:
    """The run of a line; None: it is damaged, or not whole."""
    try:
        return decode_run(line.decode())
    except ValueError:
        return None
