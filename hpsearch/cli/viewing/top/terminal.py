"""The terminal while a view fills it: its other screen, its keys, and its signals; it is left as it was."""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

from hpsearch.ui.head import Line
from hpsearch.ui.terminal import Terminal
from hpsearch.ui.top.keys import keys_at_rest, keys_in
from hpsearch.ui.top.paint import Look
from hpsearch.ui.top.screen import ENTER, LEAVE, as_text, has_colour, update

SECONDS_FOR_THE_REST = 0.05
"""How long the rest of a key is waited for: what a terminal sends for one may come in pieces."""

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the view."""


class FullScreen:
    """A terminal that a view fills.

    Args:
        stream: The terminal.
        environ: The environment, for ``TERM`` and ``NO_COLOR``.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._terminal = Terminal(stream)
        self._colour = has_colour(environ)
        self._opened = None if sys.stdin.isatty() else _opened_terminal()
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else self._opened
        self._decoder = codecs.getincrementaldecoder('utf-8')('replace')
        self._rest = ''
        self._shown: list[str] = []
        self._forgets = False
        self._before: list[Any] | None = None
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    @property
    def look(self) -> Look:
        """What it can show at this moment."""
        columns, rows = self._terminal.size()
        # A line that fills the last column may be wrapped.
        return Look(max(1, columns - 1), max(1, rows), self._terminal.has_unicode, self._colour)

    @property
    def is_dead(self) -> bool:
        """Whether it is there no more."""
        return self._terminal.dead

    def draw(self, lines: Sequence[Line]) -> None:
        """Show lines; where the terminal hangs, those of a later call are shown instead."""
        is_ready = self._terminal.ready()
        if self._forgets or not is_ready:
            self._forgets, self._shown = not is_ready, []
        if not is_ready:
            return
        texts = [as_text(line, colour=self._colour) for line in lines]
        before = self._shown if len(self._shown) == len(texts) else []
        self._terminal.write(update(before, texts))
        self._shown = texts

    def forget(self) -> None:
        """Draw everything anew next time: another program may have written there, or its size has changed."""
        self._forgets = True

    def pressed(self, seconds: float) -> list[str]:
        """The keys that are pressed now, or within so many seconds; a signal ends the waiting."""
        found = self._read(seconds)
        while self._rest:
            more = self._read(SECONDS_FOR_THE_REST)
            if not more and self._rest:
                found += keys_at_rest(self._rest)
                self._rest = ''
            found += more
        return found

    def _read(self, seconds: float) -> list[str]:
        sources = [self._wake, *([self._keys] if self._keys is not None else [])]
        ready = select.select(sources, [], [], max(0.0, seconds))[0]
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
        if self._keys is None or self._keys not in ready:
            return []
        try:
            data = os.read(self._keys, 4096)
        except OSError:
            data = b''
        if not data:  # nobody can press keys any more
            self._keys = None
            return ['q']
        keys, self._rest = keys_in(self._rest + self._decoder.decode(data))
        return keys

    # Taking it, and giving it back

    def take(self) -> None:
        """Fill it."""
        self._set_keys()
        self._terminal.write(ENTER)
        self.forget()

    def give_back(self) -> None:
        """Leave it as it was."""
        self._terminal.write(LEAVE)
        if self._keys is not None and self._before is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    def _set_keys(self) -> None:
        """Keys are read at once, and not shown; Ctrl-C and Ctrl-Z are signals as always."""
        if self._keys is None:
            return
        try:
            self._before = termios.tcgetattr(self._keys)
            changed = [*self._before[:3], self._before[3] & ~(termios.ICANON | termios.ECHO), *self._before[4:]]
            termios.tcsetattr(self._keys, termios.TCSADRAIN, changed)
        except termios.error:
            self._keys = None

    def close(self) -> None:
        """Close what was opened."""
        self._terminal.close()
        for descriptor in (self._wake, self._woken, self._opened):
            if descriptor is not None:
                os.close(descriptor)

    def suspend(self) -> None:
        """Stop this process as Ctrl-Z does, and go on when it is in the foreground again."""
        self.give_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.take()
        self.wake()

    def wake(self) -> None:
        """End the waiting for keys."""
        with suppress(BlockingIOError):
            os.write(self._woken, b'.')


def _opened_terminal() -> int | None:
    """The terminal itself, where keys are read if the standard input is something else; None: there is none."""
    try:
        return os.open('/dev/tty', os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


@contextmanager
def full_screen(stream: TextIO) -> Iterator[FullScreen]:
    """A terminal that is filled until the end, whatever ends it.

    Raises:
        SystemExit: A signal ended it.
    """
    screen = FullScreen(stream)

    def changed(signum: int, frame: FrameType | None) -> None:
        screen.forget()
        screen.wake()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGWINCH: changed,
        signal.SIGTSTP: lambda signum, frame: screen.suspend(),
        **dict.fromkeys(ENDING, _end),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        screen.take()
        yield screen
    finally:
        screen.give_back()
        for number, handler in before.items():
            signal.signal(number, handler)
        screen.close()


def _end(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is begun is done before a signal ends the view."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*ENDING, signal.SIGINT, signal.SIGTSTP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
