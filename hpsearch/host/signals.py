"""Requests to stop, as signals deliver them to this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequests:
    """What signals have asked of this process.

    Attributes:
        stops: How many times a stop was requested.
        leaves: Whether to leave while its jobs continue in a queue.
    """

    stops: int = 0
    leaves: bool = False


@contextmanager
def stop_signals(
    asked: int = 0, *, term_leaves: bool = False, like_term: Sequence[signal.Signals] = ()
) -> Iterator[StopRequests]:
    """Count Ctrl-C and TERM; losing the terminal (HUP) changes nothing. The earlier handlers are restored at the end.

    Args:
        asked: Stops that were requested already.
        term_leaves: TERM, which a queue or a host that shuts down sends, ends this process only, not its jobs.
        like_term: Signals that mean the same as TERM, unless this process was started with them ignored.
    """
    requests = StopRequests(asked)

    def count(number: int, frame: FrameType | None) -> None:
        if term_leaves and number != signal.SIGINT:
            requests.leaves = True
        else:
            requests.stops += 1

    alike = [number for number in like_term if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {**dict.fromkeys((signal.SIGINT, signal.SIGTERM, *alike), count), signal.SIGHUP: _do_nothing}
    earlier = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield requests
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """A handler rather than SIG_IGN, which the runs would inherit."""
