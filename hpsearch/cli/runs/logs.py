"""What ``hpsearch logs`` prints: the output of a run that is there, or as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from hpsearch.cli.runs.choosing import find_run
from hpsearch.cli.runs.following import FollowedRun, follow
from hpsearch.cli.runs.output import Form, Sheet, lines_of
from hpsearch.model.errors import DamageError, reason_of
from hpsearch.records.expression import Scalar
from hpsearch.records.fields import OWN
from hpsearch.records.opening import open_search
from hpsearch.results.files import opened_file
from hpsearch.store.attempt_files import log_files
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.terminal import put_line

_CHUNK = 1 << 20


def print_logs(
    folder: SearchFolder, word: str, attempt: int, *, follows: bool = False, form: Form = Form.PEOPLE
) -> None:
    """Print the output of a run, stderr last; or both as they grow, until the run has ended.

    Args:
        folder: The search.
        word: What names the run.
        attempt: Which attempt; 0: the latest one, and with ``follows`` those that come after it.
        follows: Whether what comes is printed as well.
        form: For programs, a row for each log; what is no UTF-8 is replaced there, and nothing is followed.

    Raises:
        HpsearchError: There is no such run, or no such attempt of it; or a log cannot be read, when the other is
            printed.
    """
    folder.read_info()
    run = find_run(list(folder.read_runs()), word, str(folder.path))
    if form is not Form.PEOPLE:
        _print_rows(folder, run.name, attempt, form)
        return
    if not follows:
        _print_all(folder, run.name, attempt)
        return
    followed = FollowedRun(open_search(folder, time.time()), run.name)
    ended = follow(followed, attempt, _Printer().show, lambda why: put_line(sys.stderr, f'hpsearch: {run.name}: {why}'))
    put_line(sys.stderr, f'hpsearch: {run.name}: {ended}')


def _print_all(folder: SearchFolder, run: str, attempt: int) -> None:
    printer = _Printer()
    paths = log_files(folder, run, attempt)
    if not paths:
        put_line(sys.stderr, f'hpsearch: {run} has printed nothing')
    problems = list(filter(None, (_print_log(printer, path) for path in paths)))
    if problems:
        raise DamageError('\n'.join(problems))


def _print_rows(folder: SearchFolder, run: str, attempt: int, form: Form) -> None:
    rows: list[list[Scalar]] = []
    problems = []
    for path in log_files(folder, run, attempt):
        try:
            rows.append([run, path, b''.join(_pieces(path)).decode(errors='replace')])
        except DamageError as error:
            rows.append([run, path, None])
            problems.append(str(error))
    for line in lines_of(Sheet((f'{OWN}run', 'path', 'text'), rows), form):
        put_line(sys.stdout, line)
    if problems:
        raise DamageError('\n'.join(problems))


def _print_log(printer: _Printer, path: str) -> str:
    """Print a log as far as it can be read; returns why it cannot, in a sentence, or empty."""
    printer.begin(path)
    try:
        for data in _pieces(path):
            printer.show(data, path)
    except DamageError as error:
        return str(error)
    return ''


def _pieces(path: str) -> Iterator[bytes]:
    """The content of a log.

    Raises:
        DamageError: It cannot be read.
    """
    try:
        with opened_file(path) as log:
            while data := log.read(_CHUNK):
                yield data
    except (OSError, ValueError) as error:
        raise DamageError(f'{path} cannot be read: {reason_of(error)}.') from None


class _Printer:
    """Prints what is appended to logs, and whose it is where that changes."""

    def __init__(self) -> None:
        self._last = ''
        self._is_within_a_line = False

    def begin(self, path: str) -> None:
        """Say whose output follows, in a line of its own."""
        print('\n' * self._is_within_a_line + f'==> {path} <==', flush=True)
        self._last, self._is_within_a_line = path, False

    def show(self, data: bytes, path: str) -> None:
        """Print what was appended to a log, at once."""
        if path != self._last:
            self.begin(path)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._is_within_a_line = not data.endswith(b'\n')
