"""What is shown of a search while it runs: a live view on a terminal, plain lines elsewhere.

A view never raises because of its stream: when the terminal is lost, only the view is lost.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

from hpsearch.model.snapshot import Snapshot
from hpsearch.ui.format import progress_line, worth_a_line
from hpsearch.ui.terminal import Sink, is_tty


class View(Protocol):
    """Shows a search. No method raises because of the stream that it writes to."""

    def __enter__(self) -> View: ...

    def __exit__(self, *exc: object) -> None: ...

    def update(self, snapshot: Snapshot) -> None:
        """Shows the search as it is now; called on changes and about once a second."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Shows what a run in the foreground has written to its ``stdout`` or ``stderr``."""

    def end_output(self) -> None:
        """Ends the output of the run in the foreground, so that its last line is complete."""

    def log(self, text: str, *, error: bool = False) -> None:
        """Shows a message, of one or more lines."""


def open_view(stdout: TextIO, stderr: TextIO, *, quiet: bool = False, environ: Mapping[str, str] = os.environ) -> View:
    """The view that suits the streams: live on a terminal that can move its cursor, plain lines elsewhere.

    Args:
        stdout: Where the search is shown.
        stderr: Where errors go.
        quiet: Nothing but errors.
        environ: The environment, for ``TERM``.
    """
    if quiet:
        return QuietView(stderr)
    if is_tty(stdout) and environ.get('TERM', 'dumb').lower() not in ('dumb', 'unknown', ''):
        from hpsearch.ui.live import LiveView

        return LiveView(stdout)
    return PlainView(stdout, stderr)


class QuietView:
    """Nothing but errors."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = Sink(stderr)

    def __enter__(self) -> QuietView:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def update(self, snapshot: Snapshot) -> None: ...

    def output(self, data: bytes, stream_name: str) -> None: ...

    def end_output(self) -> None: ...

    def log(self, text: str, *, error: bool = False) -> None:
        if error:
            self._stderr.write(text.rstrip('\n') + '\n')


class PlainView:
    """Progress as lines of text, few enough to be read in a log file; the output of scripts as it is.

    Args:
        stdout: Where progress, messages and the scripts' stdout go.
        stderr: Where errors and the scripts' stderr go.
        clock: Monotonic seconds.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._sinks = {'stdout': Sink(stdout), 'stderr': Sink(stderr)}
        self._shared = _same_target(stdout, stderr)
        self._within_line = {'stdout': False, 'stderr': False}
        self._clock = clock
        self._shown: Snapshot | None = None
        self._shown_at = -math.inf
        self._latest: Snapshot | None = None

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._latest is not None and (self._shown is None or self._shown.counts != self._latest.counts):
            self._show(self._latest)

    def update(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        if worth_a_line(self._shown, snapshot, self._clock() - self._shown_at):
            self._show(snapshot)

    def output(self, data: bytes, stream_name: str) -> None:
        if data:
            self._sinks[stream_name].write_bytes(data)
            self._note_line(stream_name, not data.endswith(b'\n'))

    def end_output(self) -> None:
        for name in self._sinks:
            self._write('', name)

    def log(self, text: str, *, error: bool = False) -> None:
        self._write(text.rstrip('\n') + '\n', 'stderr' if error else 'stdout')

    def _show(self, snapshot: Snapshot) -> None:
        self._shown, self._shown_at = snapshot, self._clock()
        self._write(progress_line(snapshot) + '\n', 'stdout')

    def _write(self, text: str, name: str) -> None:
        start = '\n' if self._within_line[name] else ''
        self._note_line(name, False)
        if start or text:
            self._sinks[name].write(start + text)

    def _note_line(self, name: str, within: bool) -> None:
        for other in self._within_line:
            if other == name or self._shared:
                self._within_line[other] = within


def _same_target(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return one is other
