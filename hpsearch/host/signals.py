"""Signals: requests to stop, and a wait that a signal, another thread or the end of a process ends."""

from __future__ import annotations

import os
import selectors
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType


@dataclass
class StopRequests:
    """What signals requested.

    Attributes:
        stops: How often to stop.
        leaves: Whether to leave while jobs continue in a queue.
        is_near_limit: Whether the job of this process will reach its time limit soon.
    """

    stops: int = 0
    leaves: bool = False
    is_near_limit: bool = False


@contextmanager
def stop_signals(
    asked: int = 0, *, term_leaves: bool = False, limit: Sequence[signal.Signals] = ()
) -> Iterator[StopRequests]:
    """Count Ctrl-C and TERM; losing the terminal (HUP) changes nothing. The earlier handlers are restored at the end.

    Args:
        asked: Stops that were requested already.
        term_leaves: TERM, which a queue or a host that shuts down sends, ends this process only, not its jobs.
        limit: Signals that a queue sends before a time limit, unless this process was started with them ignored.
    """
    requests = StopRequests(asked)

    def count(number: int, frame: FrameType | None) -> None:
        if term_leaves and number != signal.SIGINT:
            requests.leaves = True
        elif number in limit:
            requests.is_near_limit = True
        else:
            requests.stops += 1

    minded = [number for number in limit if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {**dict.fromkeys((signal.SIGINT, signal.SIGTERM, *minded), count), signal.SIGHUP: _do_nothing}
    earlier = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield requests
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


class Wakeup:
    """A self-pipe behind a selector; in the main thread every signal writes to it.

    A context manager, which restores the earlier handlers at the end.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ)
        self._earlier_fd: int | None = None
        self._earlier_handler: object = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Wakeup:
        if threading.current_thread() is threading.main_thread():
            self._earlier_handler = signal.signal(signal.SIGCHLD, _do_nothing)
            signal.siginterrupt(signal.SIGCHLD, False)
            self._earlier_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._earlier_fd is not None:
            signal.set_wakeup_fd(self._earlier_fd)
            signal.signal(signal.SIGCHLD, self._earlier_handler or signal.SIG_DFL)  # type: ignore[arg-type]
        self._selector.close()
        with self._lock:
            self._is_closed = True
            os.close(self._read)
            os.close(self._write)

    def poke(self) -> None:
        """End the wait; may be called from any thread, and after this was closed."""
        with self._lock:
            if self._is_closed:
                return  # the descriptor may belong to another file by now
            try:
                os.write(self._write, b'\0')
            except BlockingIOError:
                return  # the pipe is full: the wait ends anyway

    def watch(self, handle: int) -> None:
        """End the wait when this file descriptor becomes readable (a pidfd: when its process ends)."""
        self._selector.register(handle, selectors.EVENT_READ)

    def unwatch(self, handle: int) -> None:
        """Stop watching a file descriptor."""
        self._selector.unregister(handle)

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or earlier when something has happened."""
        self._selector.select(timeout)
        try:
            while len(os.read(self._read, 4096)) == 4096:
                continue
        except BlockingIOError:
            return


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """A handler rather than SIG_IGN, which the runs would inherit; without one, SIGCHLD would not end a wait."""
