"""Streams that people read: they may die, hang, or lack characters, and never raise because of it."""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from hpsearch.model.errors import trouble_in_words
from hpsearch.ui.ansi_filter import SEQUENCE

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_OF_PATIENCE = 0.25

_ASCII = str.maketrans({'…': '~', '·': '|', '━': '-', '─': '-'})


def prepare_streams() -> None:
    """Lets the streams of this process take any text, also those that were closed before it started.

    Their descriptors are taken at once, so that no file that is opened later has one of them. File names, and what
    scripts left, may have what cannot be encoded.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')


def put_line(stream: TextIO, line: str = '') -> None:
    """Prints a line at once. Where that is not possible, it and all that follows are dropped.

    That nobody reads any more needs no message; anything else is reported on stderr.
    """
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        drop(stream)
    except OSError as error:
        drop(stream)
        if stream is not sys.stderr:
            put_line(sys.stderr, f'hpsearch: the output is not complete: {trouble_in_words(error)}')


def drop(stream: TextIO) -> bool:
    """Drops what is written to a stream from now on, also at exit; returns whether that is possible."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        return False
    return True


class Sink:
    """A text stream that may die: after the first error everything written to it is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self.dead = False
        self._stream = stream
        self._encoding = getattr(stream, 'encoding', None) or 'utf-8'

    @property
    def has_unicode(self) -> bool:
        """Whether lines and ellipses can be drawn with their own characters."""
        return codecs.lookup(self._encoding).name.startswith('utf')

    def encode(self, text: str) -> bytes:
        """The text in the encoding of the stream; characters that it lacks are replaced."""
        return (text if self.has_unicode else text.translate(_ASCII)).encode(self._encoding, 'replace')

    def write(self, text: str) -> None:
        """Writes text; characters that the encoding of the stream lacks are replaced."""
        self.write_bytes(self.encode(text))

    def write_bytes(self, data: bytes) -> None:
        """Writes bytes as they are where the stream has a binary side, as text where it has not."""
        if self.dead:
            return
        try:
            buffer = getattr(self._stream, 'buffer', None)
            if buffer is None:
                self._stream.write(data.decode(self._encoding, 'replace'))
            else:
                self._stream.flush()
                buffer.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self.die()

    def die(self) -> None:
        """Drops everything from now on, and keeps the buffer from failing again when the interpreter exits."""
        self.dead = True
        if not drop(self._stream):
            self._stream = io.StringIO()


class Terminal(Sink):
    """A terminal that may die or hang without blocking its writer.

    A terminal whose other side no longer reads (an ssh session whose network is gone, Ctrl-S) blocks its writers. So it
    is opened a second time, non-blocking, which leaves the descriptor that is shared with the shell as it is.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._pending = b''
        self._hangs = False
        self._fd = _reopened(stream)

    def size(self) -> tuple[int, int]:
        """Columns and rows at this moment; 80 x 24 where they are not known."""
        try:
            columns, rows = os.get_terminal_size(self._fd if self._fd is not None else self._stream.fileno())
        except (OSError, ValueError, AttributeError):
            return 80, 24
        return columns or 80, rows or 24

    def ready(self) -> bool:
        """Whether all that was written has reached the terminal, so that more can follow."""
        self._drain()
        return not self.dead and not self._pending

    def write_bytes(self, data: bytes) -> None:
        if self._fd is None:
            super().write_bytes(data)
        elif not self.dead:
            self._pending += data
            self._drain()

    def close(self) -> None:
        """Closes what was opened; the stream itself stays open."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _drain(self) -> None:
        try:
            while self._fd is not None and self._pending and self._writable(self._fd):
                self._pending = self._pending[os.write(self._fd, self._pending) :]
        except BlockingIOError:
            self._hangs = True
        except OSError:
            self._pending = b''
            self.die()

    def _writable(self, fd: int) -> bool:
        patience = 0.0 if self._hangs else SECONDS_OF_PATIENCE
        self._hangs = not select.select([], [fd], [], patience)[1]
        return not self._hangs


def _reopened(stream: TextIO) -> int | None:
    """A descriptor of our own for the terminal behind a stream, or None where there is none."""
    fd = None
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
        fd = os.open(os.ttyname(stream.fileno()), flags)
        stream.flush()
        same = os.fstat(fd).st_rdev == os.fstat(stream.fileno()).st_rdev
    except (OSError, ValueError, AttributeError):
        same = False
    if fd is not None and not same:
        os.close(fd)
    return fd if same else None


class Printed(io.TextIOBase):
    """Stands in for ``sys.stdout`` and ``sys.stderr`` while the live region is up."""

    encoding = 'utf-8'

    def __init__(self, show: Callable[[bytes], None]) -> None:
        self._show = show

    def writable(self) -> bool:
        """Always; required by :class:`io.TextIOBase`."""
        return True

    def write(self, text: str) -> int:
        self._show(text.encode('utf-8', 'replace'))
        return len(text)


def is_tty(stream: TextIO) -> bool:
    """Whether a stream is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


def shown_width(line: str) -> int:
    """The cells of a terminal that a line takes; its colours take none."""
    if line.isascii() and line.isprintable():
        return len(line)
    from rich.cells import cell_len

    return cell_len(SEQUENCE.sub('', line))


def string_console(width: int, *, is_terminal: bool = True) -> Console:
    """A console of rich that writes into a string, with the styles of the terminal or without any."""
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        force_terminal=is_terminal,
        color_system='auto' if is_terminal else None,
        width=width,
        height=100,
        markup=False,
        highlight=False,
        emoji=False,
    )
