"""Copying what a running attempt writes into its logs to wherever it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

_AT_ONCE = 1 << 20


class LogTail:
    """Passes on what is appended to the logs of one attempt.

    Args:
        logs: Stream name (``stdout``, ``stderr``) to path.
        show: Called with the bytes and the stream name.
    """

    def __init__(self, logs: dict[str, str], show: Callable[[bytes, str], None]) -> None:
        self._show = show
        self._logs: dict[str, BinaryIO] = {name: open(path, 'rb') for name, path in logs.items()}

    def pump(self) -> bool:
        """Show what is new, at most a MiB of each log; says whether there may be more."""
        more = False
        for name, log in self._logs.items():
            data = log.read(_AT_ONCE)
            if data:
                self._show(data, name)
            more = more or len(data) == _AT_ONCE
        return more

    def finish(self) -> None:
        """Show the rest and let go."""
        while self.pump():
            continue
        for log in self._logs.values():
            log.close()
