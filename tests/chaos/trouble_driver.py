"""Runs small searches in which one file operation fails, and resumes those that ended early: see test_trouble.py.

    python trouble_driver.py FOLDER POINT …

A point is ``30:EIO``: the thirtieth operation gives that error. An empty one disturbs nothing. For each point a line of
JSON is printed, as by crash_driver.py.

Only operations in the search folder count, reading included, and starting a process.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chaos.place import Place
from tests.chaos import crash_driver
from tests.chaos.crash_driver import RUNS, Points, in_a_child


class Troubles(Points):
    """Counts operations, and lets one fail; ``how`` is the name of the error."""

    def step(self, do: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """Do one operation, or fail."""
        self.count += 1
        if self.count == self.at:
            code = getattr(errno, self.how)
            raise OSError(code, os.strerror(code))
        return do()


class ReadFile:
    """A file that is read; every read is an operation."""

    def __init__(self, file: Any, points: Points) -> None:
        self._file = file
        self._points = points

    def read(self, *size: int) -> Any:
        return self._points.step(lambda: self._file.read(*size))

    def readline(self, size: int = -1) -> Any:
        return self._points.step(lambda: self._file.readline(size))

    def readlines(self, *hint: int) -> Any:
        return self._points.step(lambda: self._file.readlines(*hint))

    def __iter__(self) -> ReadFile:
        return self

    def __next__(self) -> Any:
        return self._points.step(lambda: next(self._file))

    def __enter__(self) -> ReadFile:
        return self

    def __exit__(self, *how: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def patch(points: Points) -> None:
    """Let every operation of this process count, those that read included."""
    crash_driver.patch_writing(points)
    setattr(os, 'open', _counted_opening(os.open, points))  # noqa: B010
    for name in ('stat', 'scandir', 'listdir', 'read'):
        setattr(os, name, crash_driver.counted(getattr(os, name), points))
    setattr(builtins, 'open', _counted_reading(builtins.open, points))  # noqa: B010
    setattr(io, 'open', builtins.open)  # noqa: B010


def _counted_opening(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    """Opening a descriptor to read it; to write one counts as in crash_driver."""

    def call(path: Any, flags: int, *args: Any, **options: Any) -> Any:
        if not flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR) and points.concerns(path):
            return points.step(lambda: real(path, flags, *args, **options))
        return real(path, flags, *args, **options)

    return call


def _counted_reading(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def call(file: Any, mode: str = 'r', *args: Any, **options: Any) -> Any:
        if not set(mode) & set('wax+') and points.concerns(file):
            return ReadFile(points.step(lambda: real(file, mode, *args, **options)), points)
        return real(file, mode, *args, **options)

    return call


def go_through(place: Place, point: str) -> dict[str, object]:
    """One search, and what is left of it."""
    at, _, how = point.partition(':')
    words = place.search_words('--cpu_jobs=2', *os.environ.get('CRASH_OPTIONS', '').split())
    code, count = in_a_child(place, words, int(at or 0), how)
    codes, counts = [code], [count]
    if code != 0:
        again = ['resume', 'out'] if (place.folder.path / 'runs.jsonl').exists() else [*words, '--dont_force_new_dir']
        code, count = in_a_child(place, again, 0, '')
        codes.append(code)
        counts.append(count)
    return {'chain': point, 'path': str(place.path), 'codes': codes, 'counts': counts}


def main() -> None:
    """Go through the points of the command line."""
    os.environ['TRAINING_SECONDS'] = '0.03'
    crash_driver.make_points, crash_driver.patch = Troubles, patch
    here = Path(sys.argv[1])
    for number, point in enumerate(sys.argv[2:]):
        place = Place(here / str(number), RUNS).make()
        print(json.dumps(go_through(place, point)), flush=True)


if __name__ == '__main__':
    main()
