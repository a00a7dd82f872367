"""Where a run reports metrics while it goes, and what is new there."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hpsearch.results.files import LARGEST_SUMMARY, decode, read_fresh
from hpsearch.results.metrics.growing import GrowingFile
from hpsearch.results.metrics.logs import (
    EventFileReader,
    JsonLinesReader,
    MlflowReader,
    PrintedReader,
    Reader,
    TableReader,
    WandbReader,
    document_rows,
)
from hpsearch.results.metrics.points import Point, Steps, step_name
from hpsearch.results.rules import METRICS, ResultRule, rule_of
from hpsearch.results.sources import OF_SEVERAL_FILES, Places, common_folder, matching_files, mlflow_name

FIRST_LOOK, LATER_LOOK = 1.0, 15.0
"""Seconds between two looks for the files of a pattern, at first and later on."""

SHARE_OF_LOOKS, LONGEST_LOOK = 0.001, 60.0
"""How much of the time looking takes in a large folder; and so many seconds between two looks at most."""


class Source(Protocol):
    """One place where a run reports metrics."""

    def news(self, now: float) -> Iterable[Point]:
        """What is new there.

        Args:
            now: Monotonic seconds.

        Raises:
            OSError: It is there but cannot be read.
        """

    @property
    def has_more(self) -> bool:
        """Whether the last call left something for the next one, which need not wait."""


class LogSource:
    """One file that grows."""

    def __init__(self, path: Path, make: Callable[[], Reader]) -> None:
        self._file, self._make, self._reader = GrowingFile(path), make, make()

    @property
    def has_more(self) -> bool:
        return self._file.has_more

    def news(self, now: float) -> Iterable[Point]:
        data, is_another = self._file.read()
        if is_another:
            self._reader = self._make()
        return self._reader.feed(data) if data else ()


class DocumentSource:
    """A JSON document that is written anew as it grows."""

    has_more = False

    def __init__(self, path: Path, step: str) -> None:
        self._path, self._step, self._steps = path, step, Steps(step)
        self._mark: tuple[int, int, int] | None = None
        self._count = 0

    def news(self, now: float) -> Iterable[Point]:
        facts = self._path.stat()
        mark = facts.st_ino, facts.st_size, facts.st_mtime_ns
        if mark == self._mark:
            return
        try:
            rows = document_rows(json.loads(decode(read_fresh(self._path, LARGEST_SUMMARY))[0]))
        except (ValueError, RecursionError):
            return  # it is being written, and looked at again
        self._mark = mark
        if len(rows) < max(self._count, 2):  # a document of one row is another each time
            self._count, self._steps = 0, Steps(self._step)
        new, self._count = rows[self._count :], len(rows)
        if len(rows) > 1 or self._step or (rows and step_name(rows[0])):
            yield from self._steps.points(new)  # a result without a step is no point


class FilesSource:
    """The files of a pattern in the output folder: the last of them, or all, as for the result."""

    def __init__(self, rule: ResultRule, output: Path) -> None:
        self._rule, self._output = rule, output
        self._is_pattern = bool(re.search(r'[*?[]', rule.file))
        self._sources: dict[Path, Source] = {}
        self._pause, self._next_look = FIRST_LOOK, -math.inf

    @property
    def has_more(self) -> bool:
        return any(source.has_more for source in self._sources.values())

    def news(self, now: float) -> Iterator[Point]:
        if now >= self._next_look:
            self._look(now)
        for path, source in list(self._sources.items()):
            try:
                yield from source.news(now)
            except FileNotFoundError:
                del self._sources[path]

    def _look(self, now: float) -> None:
        begin = time.perf_counter()
        found = matching_files(self._rule, self._output) if self._is_pattern else [self._output / self._rule.file]
        kept = found if self._rule.format in OF_SEVERAL_FILES else found[-1:]
        self._sources = {path: self._sources.get(path) or self._source(path) for path in kept}
        self._pause = min(LATER_LOOK, 2 * self._pause) if self._is_pattern else FIRST_LOOK
        slow = (time.perf_counter() - begin) / SHARE_OF_LOOKS if self._is_pattern else 0.0
        self._next_look = now + min(LONGEST_LOOK, max(self._pause, slow))

    def _source(self, path: Path) -> Source:
        if self._rule.format == 'json':
            return DocumentSource(path, self._rule.step)
        return LogSource(path, lambda: self._reader(path))

    def _reader(self, path: Path) -> Reader:
        step = self._rule.step
        match self._rule.format:
            case 'tensorboard':
                return EventFileReader(lambda: self._prefix(path))
            case 'wandb':
                return WandbReader(step)
            case 'mlflow':
                return MlflowReader(mlflow_name(path))
            case 'csv' | 'tsv':
                return TableReader(step, '\t' if self._rule.format == 'tsv' else ',')
            case _:
                return JsonLinesReader(step)

    def _prefix(self, path: Path) -> str:
        """What stands before the tags of an event file: its folder, where there are several."""
        folders = {each.parent for each in self._sources} | {path.parent}
        root = common_folder(folders)
        return '' if len(folders) == 1 or path.parent == root else f'{path.parent.relative_to(root).as_posix()}/'


class AttemptMetrics:
    """Everything that one attempt reports.

    Args:
        rules: Where it reports, beside the file of ``hpsearch.report``, as :func:`~.rules.metric_rules` gives them.
        places: Its output folder and its logs, among them that file.
        key: The keyword of an expression that names none.
    """

    def __init__(self, rules: Sequence[Mapping[str, str]], places: Places, key: str) -> None:
        reported = LogSource(places.logs[METRICS], lambda: JsonLinesReader('step'))
        self._sources: list[Source] = [reported, *(_source(rule_of(rule), places, key) for rule in rules)]

    def news(self, now: float) -> tuple[list[Point], list[Exception]]:
        """What is new anywhere, and why something could not be read; ``now``: monotonic seconds."""
        points: list[Point] = []
        errors: list[Exception] = []
        for source in self._sources:
            try:
                points += source.news(now)
            except Exception as error:
                # A damaged or hostile file can make a library raise anything.
                errors.append(error)
        return points, errors

    @property
    def has_more(self) -> bool:
        """Whether there is more than one call reads."""
        return any(source.has_more for source in self._sources)


def _source(rule: ResultRule, places: Places, key: str) -> Source:
    if rule.log:
        return LogSource(places.logs[rule.log], lambda: PrintedReader(rule, key))
    return FilesSource(rule, places.output)
